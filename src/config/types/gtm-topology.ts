// `gtm topology`: what a pool or a datacenter is worth to clients of a place. A record is named by its condition.

import { MAX_COUNT } from '../gtm-kinds.ts';
import { integer, string } from '../kinds.ts';
import { objectType, type ObjectOf } from '../object-type.ts';
import { wordsOf } from '../sentence.ts';
import { splitStatement, statementEnd, topologyNameKind } from '../topology-statement.ts';

export const gtmTopology = objectType({
  path: 'gtm topology',
  label: 'Topology Record',
  runBy: 'dnsd',
  help: 'What a pool or a datacenter is worth to clients of a place, as load balancing by topology sees it. Its name says both.',
  example: `
gtm datacenter east { }
gtm topology ldns: not country US server: datacenter /Common/east {
    order 2
    score 10
}
gtm topology ldns: subnet 192.0.2.0/24 server: datacenter /Common/east {
    order 1
    score 100
}
`,
  naming: 'plain',
  nameKind: topologyNameKind,
  sync: 'gtm',
  properties: {
    description: string({ help: 'Text for people.' }),
    order: integer(
      { min: 0, max: MAX_COUNT },
      { default: 0, help: 'Its place, where topology-longest-match is no: the lowest comes first.' },
    ),
    score: integer({ min: 0, max: MAX_COUNT }, { default: 1, help: 'What it is worth: the highest is chosen.' }),
  },
  check(objects, context) {
    for (const object of objects) {
      const { ldns } = statementsOf(object.name);
      if (ldns.kind !== 'datacenter' && ldns.kind !== 'pool') continue;
      const text = `Topology Record (${object.name}): it fits no client: none is in a ${ldns.kind}.`;
      context.warn(object, text, { hint: `Write ${ldns.kind} behind server: instead.` });
    }
  },
});

export type GtmTopology = ObjectOf<typeof gtmTopology>;

/** What a record says, by its name. */
export function statementsOf(name: string) {
  const words = wordsOf(name)!;
  const end = statementEnd(words, 1)!;
  return { ldns: splitStatement(words.slice(1, end)), server: splitStatement(words.slice(end + 1)) };
}
