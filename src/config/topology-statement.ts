// What topology says of a client or of a server: `country US`, `not subnet 10.0.0.0/8`, `pool /Common/p`.

import { formatPrefix, networkOf, parsePrefix } from '../core/address.ts';
import { TOPOLOGY_KINDS, WIDE_IP_TYPES } from '../gtm/description.ts';
import type { TopologyKind } from '../gtm/description.ts';
import { choiceKind, referenceKind } from './kinds.ts';
import type { ReferenceTarget } from './kinds.ts';
import { pathProblem } from './name.ts';
import type { Reading, ScalarKind } from './property.ts';
import { sentenceKind } from './sentence.ts';
import { gtmDatacenter } from './types/gtm-datacenter.ts';
import { GTM_POOLS } from './types/gtm-pool.ts';

/** Regions hold statements, which may name regions. */
export const REGION = {
  path: 'gtm region',
  label: 'Region',
  naming: 'full-path',
  // On a device they may be several words.
  nameProblem: (path: string) => pathProblem(path.replaceAll(/(?<=[^ /]) (?=[^ /])/g, '_')),
} as const satisfies ReferenceTarget;

const CONTINENTS = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'];
const NOT = 'not';

const POOLS = WIDE_IP_TYPES.map((type) => GTM_POOLS[type]);

/** Types of the objects that statements name. */
const TOPOLOGY_TARGETS: readonly string[] = [gtmDatacenter, REGION, ...POOLS].map(({ path }) => path);

function wordKind(name: string, expects: string, read: (word: string) => Reading<string>): ScalarKind<string> {
  return { shape: 'scalar', name, expects, read, print: (value) => value };
}

const matching = (expects: string, form: RegExp, canonical: (word: string) => string) => (word: string) =>
  form.test(word) ? { value: canonical(word) } : { problem: `must be ${expects}` };

const COUNTRY = 'the two letters of a country, as in US';
const STATE = 'a country and a state, as in US/Washington';
const PROVIDER = 'the name of a provider';
const SUBNET = 'a network, as in 192.0.2.0/24';

const provider = wordKind(
  'provider',
  PROVIDER,
  matching(PROVIDER, /^[^\0-\x1f]+$/, (word) => word),
);

/** What may stand behind each kind. */
const VALUES: Readonly<Record<TopologyKind, ScalarKind<string>>> = {
  subnet: wordKind('ip-prefix', SUBNET, (word) => {
    const prefix = parsePrefix(word);
    if (prefix === undefined || word.includes('%')) return { problem: `must be ${SUBNET}` };
    return { value: formatPrefix({ ...prefix, address: networkOf(prefix) }) };
  }),
  datacenter: referenceKind([gtmDatacenter]),
  pool: referenceKind(POOLS),
  region: referenceKind([REGION]),
  isp: provider,
  'geoip-isp': provider,
  country: wordKind(
    'country',
    COUNTRY,
    matching(COUNTRY, /^[a-z]{2}$/i, (word) => word.toUpperCase()),
  ),
  state: wordKind(
    'state',
    STATE,
    matching(STATE, /^[a-z]{2}\/[^\0-\x1f]+$/i, (word) => word.slice(0, 2).toUpperCase() + word.slice(2)),
  ),
  continent: {
    ...choiceKind(CONTINENTS),
    read: (word) => choiceKind(CONTINENTS).read(word.toUpperCase(), ''),
  },
};

const kindWord = choiceKind(TOPOLOGY_KINDS);
const firstWord = choiceKind([NOT, ...TOPOLOGY_KINDS]);

/** The kind of the word behind these of a statement. */
function wordOfStatement(words: readonly string[]): ScalarKind<string> | undefined {
  const isNegated = words[0] === NOT;
  const at = words.length - (isNegated ? 1 : 0);
  if (at === 0) return isNegated ? kindWord : firstWord;
  return at === 1 ? VALUES[words.at(-1) as TopologyKind] : undefined;
}

export const statementKind = sentenceKind({
  name: 'topology-statement',
  expects: `[not] KIND VALUE, as in country US, where KIND is ${kindWord.expects}`,
  refersTo: TOPOLOGY_TARGETS,
  wordBehind: wordOfStatement,
});

const LDNS = choiceKind(['ldns:']);
const SERVER = choiceKind(['server:']);

/** The name of a topology record, which is its condition: `ldns: subnet 10.0.0.0/8 server: pool /Common/p`. */
export const topologyNameKind = sentenceKind({
  name: 'topology-record',
  expects: 'ldns: [not] KIND VALUE server: [not] KIND VALUE',
  refersTo: TOPOLOGY_TARGETS,
  wordBehind(words) {
    if (words.length === 0) return LDNS;
    const end = statementEnd(words, 1);
    if (end === undefined) return wordOfStatement(words.slice(1));
    if (words.length === end) return SERVER;
    return wordOfStatement(words.slice(end + 1));
  },
});

/** Where a statement ends that begins at this word; undefined where it is not complete. */
export function statementEnd(words: readonly string[], start: number): number | undefined {
  const end = start + (words[start] === NOT ? 3 : 2);
  return end <= words.length ? end : undefined;
}

/** The parts of a statement. */
export function splitStatement(words: readonly string[]): { isNegated: boolean; kind: TopologyKind; value: string } {
  const isNegated = words[0] === NOT;
  const [kind, value] = isNegated ? words.slice(1) : words;
  return { isNegated, kind: kind as TopologyKind, value: value! };
}
