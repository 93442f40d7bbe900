// `gtm wideip TYPE`: a domain name that is answered with what one of its pools chooses.

import { DECISIONS, POOL_MODES, WIDE_IP_TYPES } from '../../gtm/description.ts';
import type { WideIpType } from '../../gtm/description.ts';
import { domainNameProblem, MAX_COUNT, plainDomain, wideNameKind } from '../gtm-kinds.ts';
import { choice, choiceKind, choiceList, flag, integer, pattern, patternList, recordsByReference } from '../kinds.ts';
import { referenceKind, string, toggle } from '../kinds.ts';
import { fullPath, pathProblem, relativeName } from '../name.ts';
import { type AnyObjectType, type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import type { PropertyMap } from '../property.ts';
import { remembered } from '../remembered.ts';
import { sentenceKind } from '../sentence.ts';
import { FAILURE_RCODES, gtmGlobalSettingsGeneral } from './gtm-global-settings.ts';
import { GTM_POOLS, gtmPoolCname } from './gtm-pool.ts';

const MAX_16_BITS = 65_535;

const typeWord = choiceKind(WIDE_IP_TYPES);
const poolOfType = Object.fromEntries(WIDE_IP_TYPES.map((type) => [type, referenceKind([GTM_POOLS[type]])]));

/** A pool with its type: `a /Common/p`. */
const typedPoolKind = sentenceKind({
  name: 'pool',
  expects: 'a type and the name of a pool of it, as in a /Common/p',
  refersTo: WIDE_IP_TYPES.map((type) => GTM_POOLS[type].path),
  wordBehind: (words) => (words.length === 0 ? typeWord : words.length === 1 ? poolOfType[words[0]!] : undefined),
});

const ruleKind = {
  name: 'name',
  expects: 'the name of an iRule',
  read(word: string, folder: string) {
    const value = fullPath(word, folder);
    const problem = pathProblem(value);
    return problem === undefined ? { value } : { problem: `must be the name of an object: ${problem}` };
  },
  print: (value: string, folder: string | undefined) => relativeName(value, folder),
};

const PLACE = {
  order: integer(
    { min: 0, max: MAX_16_BITS },
    { default: 0, help: 'Its place, from 0 on: global-availability takes the first that is available.' },
  ),
  ratio: integer({ min: 0, max: MAX_16_BITS }, { default: 1, help: 'Its weight in ratio.' }),
};

const WIDE_IP = {
  aliases: patternList(wideNameKind, { default: [], help: 'Other domain names that are answered in the same way.' }),
  description: string({ help: 'Text for people.' }),
  enabled: flag('enabled', 'disabled', { default: true, help: 'Whether its names are answered.' }),
  'failure-rcode': choice(FAILURE_RCODES, { default: 'noerror', help: 'What failure-rcode-response replies.' }),
  'failure-rcode-response': toggle({
    default: false,
    help: 'Whether failure-rcode is replied when nothing can be answered; otherwise the next source is asked.',
  }),
  'failure-rcode-ttl': integer(
    { min: 0, max: MAX_COUNT },
    { default: 0, help: 'Seconds that such a reply may be kept for; 0: it says nothing of that.' },
  ),
  'last-resort-pool': pattern(typedPoolKind, { help: 'The pool that answers when no other can, with its type.' }),
  'load-balancing-decision-log-verbosity': choiceList(DECISIONS, {
    default: [],
    help: 'What of its decisions is logged.',
  }),
  'minimal-response': toggle({ default: true, help: 'Whether replies hold the answer alone.' }),
  'persist-cidr-ipv4': integer({ min: 0, max: 32 }, { default: 32, help: 'Bits by which resolvers of IPv4 are one.' }),
  'persist-cidr-ipv6': integer(
    { min: 0, max: 128 },
    { default: 128, help: 'Bits by which resolvers of IPv6 are one.' },
  ),
  persistence: toggle({ default: false, help: 'Whether a resolver gets the same member again.' }),
  'pool-lb-mode': choice(POOL_MODES, { default: 'round-robin', help: 'How a pool is chosen.' }),
  rules: patternList(ruleKind, { default: [], help: 'The iRules.', inert: true }),
  'topology-prefer-edns0-client-subnet': toggle({
    default: false,
    help: 'Whether topology goes by the client subnet that a resolver sends (RFC 7871).',
  }),
  'ttl-persistence': integer(
    { min: 0, max: MAX_COUNT },
    { default: 3600, help: 'Seconds for which persistence remembers a member.' },
  ),
};

/** Pools that are answered with an alias, for types other than cname. */
const CNAME_POOLS = {
  'pools-cname': recordsByReference([gtmPoolCname], PLACE, {
    default: {},
    isOrdered: true,
    help: 'Pools of type cname, which are chosen from like pools.',
  }),
};

function ordered<const M extends PropertyMap>(map: M): M {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))) as unknown as M;
}

function nameProblem(path: string): string | undefined {
  return pathProblem(path) ?? domainNameProblem(path.slice(path.lastIndexOf('/') + 1));
}

const ANSWERS: Readonly<Record<WideIpType, string>> = {
  a: 'an address of IPv4',
  aaaa: 'an address of IPv6',
  cname: 'an alias',
  mx: 'mail exchangers',
  naptr: 'NAPTR records',
  srv: 'hosts with a service',
};

function wideIpType<const T extends WideIpType, const M extends PropertyMap>(type: T, more: M, example: string) {
  return objectType({
    path: `gtm wideip ${type}` as const,
    label: `Wide IP ${type.toUpperCase()}`,
    runBy: 'dnsd',
    help: `A domain name that is answered with ${ANSWERS[type]}. It is the last part of the object's name.`,
    example,
    naming: 'full-path',
    nameProblem,
    hasWildcardNames: true,
    sync: 'gtm',
    properties: ordered({ ...WIDE_IP, ...more }),
    check(objects, context) {
      checkTwins(objects as unknown as readonly AnyWideIp[], context);
      for (const object of objects) checkNames(object as unknown as AnyWideIp, context);
    },
  });
}

const poolsOf = (target: AnyObjectType) => ({
  pools: recordsByReference([target], PLACE, {
    default: {},
    isOrdered: true,
    help: 'The pools that one is chosen of.',
  }),
});

const example = (type: WideIpType, pool: string, name: string): string =>
  `${GTM_POOLS[type].example}gtm wideip ${type} ${name} {
    pools {
        ${pool} {
            order 0
        }
    }
}
`;

export const gtmWideipA = wideIpType(
  'a',
  { ...CNAME_POOLS, ...poolsOf(GTM_POOLS.a) },
  example('a', 'web', 'www.example.com'),
);
export const gtmWideipAaaa = wideIpType(
  'aaaa',
  { ...CNAME_POOLS, ...poolsOf(GTM_POOLS.aaaa) },
  example('aaaa', 'web', 'www.example.com'),
);
export const gtmWideipCname = wideIpType('cname', poolsOf(GTM_POOLS.cname), example('cname', 'cdn', 'www.example.com'));
export const gtmWideipMx = wideIpType(
  'mx',
  { ...CNAME_POOLS, ...poolsOf(GTM_POOLS.mx) },
  example('mx', 'mail', 'example.com'),
);
export const gtmWideipNaptr = wideIpType(
  'naptr',
  { ...CNAME_POOLS, ...poolsOf(GTM_POOLS.naptr) },
  example('naptr', 'sip', 'example.com'),
);
export const gtmWideipSrv = wideIpType(
  'srv',
  { ...CNAME_POOLS, ...poolsOf(GTM_POOLS.srv) },
  example('srv', 'sip', '_sip._udp.example.com'),
);

/** By type. */
export const GTM_WIDE_IPS = {
  a: gtmWideipA,
  aaaa: gtmWideipAaaa,
  cname: gtmWideipCname,
  mx: gtmWideipMx,
  naptr: gtmWideipNaptr,
  srv: gtmWideipSrv,
};

/** A wide IP of any type; those of type cname have no `pools-cname`. */
export type AnyWideIp = ObjectOf<typeof gtmWideipA>;

const labelOf = ({ type, name }: AnyWideIp): string =>
  `Wide IP ${type.slice('gtm wideip '.length).toUpperCase()} (${name})`;

/** A domain name of one type belongs to one wide IP. */
function checkTwins(objects: readonly AnyWideIp[], context: CheckContext): void {
  const owners = new Map<string, AnyWideIp>();
  for (const object of objects) {
    for (const [index, text] of namesOf(object).entries()) {
      const owner = owners.get(text);
      if (owner === undefined) {
        owners.set(text, object);
        continue;
      }
      const property = index === 0 ? {} : { property: 'aliases' };
      const problem = owner === object ? `answers ${text} twice` : `${labelOf(owner)} answers ${text} already`;
      const hint = 'Write each domain name once, as the name of a wide IP or among its aliases.';
      const colon = owner === object ? '' : ':';
      context.error(object, `${labelOf(object)}${colon} ${problem}.`, { ...property, value: text, hint });
    }
  }
}

const plainNames = new WeakMap<AnyWideIp, readonly string[]>();

/** Its domain name and its aliases, as names are compared. */
function namesOf(object: AnyWideIp): readonly string[] {
  let names = plainNames.get(object);
  if (names === undefined) {
    names = [object.name, ...object.properties.aliases].map(plainDomain);
    plainNames.set(object, names);
  }
  return names;
}

/** What `domain-name-check` lets into names, beside dots and wildcards. */
const CHARACTERS = {
  'allow-underscore': { form: /^[a-z0-9_.*?-]+$/, what: 'letters, digits, - and _' },
  strict: { form: /^[a-z0-9.*?-]+$/, what: 'letters, digits and -' },
};

const checkNames = remembered((object: AnyWideIp, context) => {
  const check = context.find(gtmGlobalSettingsGeneral, '')?.properties['domain-name-check'];
  if (check !== 'allow-underscore' && check !== 'strict') return;
  const { form, what } = CHARACTERS[check];
  for (const [index, name] of namesOf(object).entries()) {
    if (form.test(name)) continue;
    context.error(object, `${labelOf(object)}: a domain name holds ${what}, and ${name} holds something else.`, {
      ...(index === 0 ? {} : { property: 'aliases' }),
      value: name,
      hint: 'Choose another name, or let it be: modify gtm global-settings general domain-name-check none',
    });
  }
});
