// `gtm distributed-app`: wide IPs that belong together.

import { DEPENDENCY_LEVELS, WIDE_IP_TYPES } from '../../gtm/description.ts';
import { MAX_COUNT } from '../gtm-kinds.ts';
import { choice, choiceKind, integer, recordsByPattern, referenceKind, string, toggle } from '../kinds.ts';
import { objectType, type ObjectOf } from '../object-type.ts';
import { sentenceKind } from '../sentence.ts';
import { gtmDatacenter } from './gtm-datacenter.ts';
import { gtmLink } from './gtm-link.ts';
import { gtmServer } from './gtm-server.ts';
import { GTM_WIDE_IPS } from './gtm-wideip.ts';

const typeWord = choiceKind(WIDE_IP_TYPES);
const wideIpOfType = Object.fromEntries(WIDE_IP_TYPES.map((type) => [type, referenceKind([GTM_WIDE_IPS[type]])]));

const CONTEXTS = { datacenter: gtmDatacenter, link: gtmLink, server: gtmServer };
const contextWord = choiceKind(Object.keys(CONTEXTS));
const contextOfKind = Object.fromEntries(
  Object.entries(CONTEXTS).map(([kind, target]) => [kind, referenceKind([target])]),
);

/** A wide IP with its type: `a /Common/www.example.com`. */
const typedWideIpKind = sentenceKind({
  name: 'wide-ip',
  expects: 'a type and the name of a wide IP of it, as in a /Common/www.example.com',
  refersTo: WIDE_IP_TYPES.map((type) => GTM_WIDE_IPS[type].path),
  wordBehind: (words) => (words.length === 0 ? typeWord : words.length === 1 ? wideIpOfType[words[0]!] : undefined),
});

const contextKind = sentenceKind({
  name: 'context',
  expects: 'a datacenter, a link or a server, as in datacenter /Common/east',
  refersTo: Object.values(CONTEXTS).map(({ path }) => path),
  wordBehind: (words) => (words.length === 0 ? contextWord : words.length === 1 ? contextOfKind[words[0]!] : undefined),
});

export const gtmDistributedApp = objectType({
  path: 'gtm distributed-app',
  label: 'Distributed Application',
  runBy: 'dnsd',
  help: 'Wide IPs that belong together: what one of them cannot use at some place, none of them uses.',
  example: `${GTM_WIDE_IPS.a.example}gtm distributed-app shop {
    dependency-level datacenter
    wideips {
        a /Common/www.example.com { }
    }
}
`,
  naming: 'full-path',
  sync: 'gtm',
  properties: {
    'dependency-level': choice(DEPENDENCY_LEVELS, {
      default: 'none',
      help: 'What is left out as a whole when a member in it is not available.',
    }),
    description: string({ help: 'Text for people.' }),
    'disabled-contexts': recordsByPattern(
      contextKind,
      {},
      { default: {}, help: 'Datacenters, links and servers that the application does not use.' },
    ),
    'persist-cidr-ipv4': integer(
      { min: 0, max: 32 },
      { default: 32, help: 'Bits by which resolvers of IPv4 are one.' },
    ),
    'persist-cidr-ipv6': integer(
      { min: 0, max: 128 },
      { default: 128, help: 'Bits by which resolvers of IPv6 are one.' },
    ),
    persistence: toggle({ default: false, help: 'Whether a resolver gets members of the same place again.' }),
    'ttl-persistence': integer(
      { min: 0, max: MAX_COUNT },
      { default: 3600, help: 'Seconds for which persistence remembers a place.' },
    ),
    wideips: recordsByPattern(typedWideIpKind, {}, { default: {}, help: 'Its wide IPs, each with its type.' }),
  },
});

export type GtmDistributedApp = ObjectOf<typeof gtmDistributedApp>;
