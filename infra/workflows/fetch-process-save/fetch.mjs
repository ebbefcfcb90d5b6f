// Fetch All My Data: reads the records that are to be worked on.

import { idOf, named } from "./inputs.mjs";
import { read } from "./store.mjs";

export async function handler(event) {
  const dataId = idOf(event);
  const records = await read(`${dataId}.json`);
  if (!Array.isArray(records)) {
    throw named("NoSuchData", `there is no list of records ${dataId}`);
  }
  // True even of no records: Process My Data, which comes next, finds out.
  return { ...event, dataToProcess: records, processedData: [], hasMoreRecords: true };
}
