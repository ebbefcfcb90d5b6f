// What the functions of this workflow ask of their events.

/** An error that a workflow's Retry and Catch know by its name. */
export function named(name, message) {
  return Object.assign(new Error(message), { name });
}

/** The id under which a workflow's data is kept: a whole number, or text of letters, digits, - and _. */
export function idOf({ dataId }) {
  if (Number.isSafeInteger(dataId) || (typeof dataId === "string" && /^[\w-]{1,100}$/.test(dataId))) {
    return dataId;
  }
  throw named("InvalidInput", "dataId: must be a whole number, or letters, digits, - and _");
}
