// Save My Data: keeps what was worked out. Saved again, it is the same.

import { idOf } from "./inputs.mjs";
import { write } from "./store.mjs";

export async function handler(event) {
  const dataId = idOf(event);
  const where = await write(`saved/${dataId}.json`, event.processedData);
  return { dataId, saved: event.processedData.length, where };
}
