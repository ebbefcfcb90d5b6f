// What makes the pages of executions more comfortable. Each works without it.
'use strict';

const NEXT = 2000; // milliseconds between two looks
const clock = {ahead: 0}; // how far the machine's clock is ahead of the browser's

// A page that shows something running is asked for again, and what is new in it takes its place.
function parts(root) {
  return [...root.querySelectorAll('[data-part]')];
}
// Two versions are the same though a running time has gone on.
function content(part) {
  return part.outerHTML.replace(/(data-since="-?\d+">)[^<]*/g, '$1').replace(/ open=""/g, '');
}
// Whether each fold is open as it came. Whoever changes that is left with it.
const came = new Map();
function fold(it) {
  return it.id || `${it.parentElement.closest('[id]')?.id}/${it.querySelector('summary')?.textContent}`;
}
// What can have the focus, so that it is found again in another version.
function nameOf(it) {
  const within = it.matches('summary') ? it.parentElement : it.closest('details');
  return [it.tagName, within && fold(within), it.getAttribute('href') ?? it.getAttribute('aria-label')].join(' ');
}
function remember(root) {
  for (const it of root.querySelectorAll('details')) came.set(fold(it), it.open);
}
function replace(old, fresh) {
  const changed = new Map();
  for (const it of old.querySelectorAll('details')) if (it.open !== came.get(fold(it))) changed.set(fold(it), it.open);
  const focused = document.activeElement;
  const inside = old.contains(focused) && focused !== old;
  const known = inside && nameOf(focused);
  old.replaceWith(fresh);
  remember(fresh);
  for (const it of fresh.querySelectorAll('details')) it.open = changed.get(fold(it)) ?? it.open;
  const again = known && [...fresh.querySelectorAll('a, summary, button, [tabindex]')].find(it => nameOf(it) === known);
  if (again) again.focus({preventScroll: true});
}
const served = new Map(parts(document).map(part => [part.dataset.part, content(part)]));

async function look() {
  if (document.hidden) return;
  const answer = await fetch(location.href, {headers: {accept: 'text/html'}, cache: 'no-store'});
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  setClock(page);
  for (const fresh of parts(page)) {
    const name = fresh.dataset.part, text = content(fresh);
    if (served.get(name) === text) continue;
    const old = document.querySelector(`[data-part="${name}"]`);
    // What somebody is filling in stays.
    if (!old || (old.contains(document.activeElement) && document.activeElement.matches('input, textarea, select'))) continue;
    served.set(name, text);
    if (fresh.dataset.doing) announce(fresh.dataset.doing);
    replace(old, document.importNode(fresh, true));
  }
  document.title = page.title;
  if (!document.querySelector('[data-live]')) document.querySelector('[data-refresh]')?.remove();
}
async function watch() {
  while (document.querySelector('[data-live]')) {
    const begun = performance.now();
    // The machine may be gone for a while.
    await look().catch(() => {});
    const took = performance.now() - begun;
    await new Promise(go => setTimeout(go, Math.max(NEXT, took * 5)));
  }
}
function announce(text) {
  const place = document.querySelector('[data-announce]');
  if (place) place.textContent = text;
}

// Running times go on.
function setClock(page) {
  const now = page.querySelector('[data-now]');
  if (now) clock.ahead = Number(now.dataset.now) - Date.now();
}
function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (large, one, small, other) => small ? `${large} ${one} ${small} ${other}` : `${large} ${one}`;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return two(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  if (seconds < 86400) return two(Math.floor(seconds / 3600), 'h', Math.floor(seconds % 3600 / 60), 'min');
  return two(Math.floor(seconds / 86400), 'd', Math.floor(seconds % 86400 / 3600), 'h');
}
function tick() {
  for (const it of document.querySelectorAll('[data-since]')) {
    it.textContent = span(Date.now() + clock.ahead - Number(it.dataset.since));
  }
}

// A link into something folded opens it.
function reveal() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  for (let it = target; it; it = it.parentElement) if (it.matches('details')) it.open = true;
  if (target) target.scrollIntoView();
}

// The input of an execution is checked while it is typed.
function editor(area) {
  const fault = document.getElementById('input-fault');
  const form = area.form;
  const format = form.querySelector('button[value=format]');
  const last = form.querySelector('button[value=last]');
  const begun = area.value;
  let timer;
  const say = text => {
    if (fault.textContent !== text) fault.textContent = text;
    area.setAttribute('aria-invalid', String(text !== ''));
  };
  const parsed = () => {
    try { return [JSON.parse(area.value || '{}')]; } catch { return []; }
  };
  // Browsers don't all say where the mistake is; the form's own answer does.
  const check = async () => {
    const text = area.value;
    if (parsed().length) return say('');
    const asked = new FormData(form);
    asked.set('do', 'format');
    const answer = await fetch(form.action, {method: 'POST', body: new URLSearchParams(asked)});
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (area.value === text) say(page.getElementById('input-fault')?.textContent ?? '');
  };
  area.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(() => check().catch(() => {}), 400); });
  format.addEventListener('click', event => {
    const [value] = parsed();
    if (value === undefined) return;
    event.preventDefault();
    area.value = JSON.stringify(value, null, 2);
    say('');
  });
  form.querySelector('select').addEventListener('change', () => { if (area.value === begun) form.requestSubmit(last); });
}
// A graph that is larger than its place begins where something is going on, or went wrong.
function centre() {
  const place = document.querySelector('.scroll');
  const graph = place?.querySelector('.graph');
  // What is inside another comes after it.
  const node = graph && ['waiting', 'running', 'failed'].map(it => [...graph.querySelectorAll(`.node.${it}`)].at(-1)).find(it => it);
  if (!node) return;
  const box = node.getBoundingClientRect(), frame = place.getBoundingClientRect();
  place.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
  if (box.bottom > frame.bottom) place.scrollTop += box.top - frame.top - frame.height / 3;
}

setClock(document);
remember(document);
centre();
reveal();
addEventListener('hashchange', reveal);
const area = document.querySelector('[data-json]');
if (area) editor(area);
if (document.querySelector('[data-live]')) {
  const refresh = document.querySelector('[data-refresh]');
  if (refresh) refresh.textContent = 'Keeps up by itself.';
  setInterval(tick, 1000);
  setTimeout(watch, NEXT);
}
