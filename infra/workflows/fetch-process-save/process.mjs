// Process My Data: works on the next few records and says whether there are more. Working on one takes long, let us say,
// so that all of them wouldn't fit into one call.

import { named } from "./inputs.mjs";

const AT_ONCE = 2;
const TAX_PERCENT = 19;

export async function handler(event) {
  const next = event.dataToProcess.slice(0, AT_ONCE);
  const rest = event.dataToProcess.slice(AT_ONCE);
  return {
    ...event,
    dataToProcess: rest,
    processedData: [...event.processedData, ...next.map(withTax)],
    hasMoreRecords: rest.length > 0,
  };
}

/** Amounts are whole cents. */
function withTax(record) {
  if (!Number.isSafeInteger(record?.net)) {
    throw named("InvalidRecord", `net: must be a whole number of cents in ${JSON.stringify(record)}`);
  }
  const tax = Math.round((record.net * TAX_PERCENT) / 100);
  return { ...record, tax, gross: record.net + tax };
}
