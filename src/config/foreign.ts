// Objects that a BIG-IP ships and this version does not have: real configurations refer to them without a stanza of theirs.

const PROFILES = ['dslite', 'fec', 'geneve', 'ip4ip4', 'ip4ip6', 'ip6ip4', 'ip6ip6', 'ipip', 'ipsec', 'lw4o6', 'map'];
const MORE_PROFILES = ['ppp', 'tcp-forward', 'v6rd', 'wccpgre'];

/** Name → what it is, as its module and component. */
export const SHIPPED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ...[...PROFILES, ...MORE_PROFILES].map((name) => [`/Common/${name}`, `net tunnels profile /Common/${name}`] as const),
  ...['http-tunnel', 'socks-tunnel'].map((name) => [`/Common/${name}`, `net tunnels tunnel /Common/${name}`] as const),
]);
