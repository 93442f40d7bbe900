// Whether the records of zones are sound: judged before they are committed, and once for as long as they do not change.

import { remembered } from './remembered.ts';
import type { AnyConfigObject } from './object-type.ts';
import { originOf } from './zone-names.ts';
import { type RecordProblem, zoneOfRecords, type ZoneRecords } from './zone-records.ts';

/** As many as a person reads; warnings come again with each change. */
const MOST = { error: 20, warning: 3 };

type ZoneObject = AnyConfigObject & { readonly properties: ZoneRecords };

/** Of a zone whose name is one. */
export const checkZoneRecords = remembered((object: ZoneObject, context) => {
  const origin = originOf(object.name);
  if (typeof origin === 'string') return;
  const { problems } = zoneOfRecords(origin.name, object.properties);
  for (const severity of ['error', 'warning'] as const) {
    const report = severity === 'error' ? context.error : context.warn;
    const found = problems.filter((problem) => problem.severity === severity);
    for (const problem of found.slice(0, MOST[severity])) {
      const { text, value } = described(problem);
      const hint = problem.hint ?? hintFor(object.name, problem);
      report.call(context, object, `Zone (${object.name}): ${text}.`, { property: 'records', value, hint });
    }
    const more = found.length - MOST[severity];
    if (more > 0) report.call(context, object, `Zone (${object.name}): ${more} more of them.`, { property: 'records' });
  }
});

function described({ record, data, text }: RecordProblem): { text: string; value: string } {
  if (record === undefined) return { text, value: '' };
  const what = data === undefined ? `record ${record}` : `record ${record}, data "${data}"`;
  return { text: `${what}: ${text}`, value: data ?? record };
}

function hintFor(name: string, { record = '' }: RecordProblem): string {
  return `To change it: modify gtm zone ${name} records modify { ${record} { data replace-all-with { … } } }`;
}
