// Objects that a BIG-IP ships and this version does not have: real configurations refer to them without a stanza of theirs.

const PROFILES = ['dslite', 'fec', 'geneve', 'ip4ip4', 'ip4ip6', 'ip6ip4', 'ip6ip6', 'ipip', 'ipsec', 'lw4o6', 'map'];
const MORE_PROFILES = ['ppp', 'tcp-forward', 'v6rd', 'wccpgre'];

const UDP = ['udp', 'udp_decrement_ttl', 'udp_gtm_dns'];
const TCP = ['tcp', 'tcp-lan-optimized', 'tcp-legacy', 'tcp-mobile-optimized', 'tcp-wan-optimized', 'wom-tcp'];
const MORE_TCP = ['f5-tcp-lan', 'f5-tcp-mobile', 'f5-tcp-progressive', 'f5-tcp-wan', 'mptcp-mobile-optimized'];

/** Full paths of the profiles of transport protocols, which stand beside the DNS profile of a listener. */
export const TRANSPORT_PROFILES: ReadonlySet<string> = new Set(
  [...UDP, ...TCP, ...MORE_TCP].map((name) => `/Common/${name}`),
);

const MAIL = ['imap', 'pop3', 'smtp'];
const DATABASES = ['ldap', 'mssql', 'mysql', 'oracle', 'postgresql'];
const OTHERS = ['firepass', 'ftp', 'nntp', 'radius', 'radius-accounting', 'real-server', 'scripted', 'sip', 'soap'];
const WAP_AND_WMI = ['wap', 'wmi'];
/** Types of monitors of which there is one that is named like the type. */
const MONITORS = {
  gtm: [...MAIL, ...DATABASES, ...OTHERS, ...WAP_AND_WMI, 'bigip-link', 'gtp', 'snmp-link'],
  ltm: [
    ...[
      ...MAIL,
      ...DATABASES,
      ...OTHERS,
      ...WAP_AND_WMI,
      'diameter',
      'http2',
      'inband',
      'module-score',
      'mqtt',
      'none',
    ],
    ...['rpc', 'sasp', 'smb', 'snmp-dca', 'snmp-dca-base', 'tcp-echo'],
  ],
};

/** Each with its name and what it is, as its module and component. */
export const SHIPPED_ELSEWHERE: readonly (readonly [name: string, what: string])[] = [
  ...[...PROFILES, ...MORE_PROFILES].map((name) => [`/Common/${name}`, `net tunnels profile /Common/${name}`] as const),
  ...['http-tunnel', 'socks-tunnel'].map((name) => [`/Common/${name}`, `net tunnels tunnel /Common/${name}`] as const),
  ...Object.entries(MONITORS).flatMap(([module, types]) =>
    types.map((type) => {
      const name = `/Common/${type.replaceAll('-', '_')}`;
      return [name, `${module} monitor ${type} ${name}`] as const;
    }),
  ),
  ['/Common/http2_head_f5', 'ltm monitor http2 /Common/http2_head_f5'],
  ['/Common/snmp_gtm', 'gtm monitor snmp /Common/snmp_gtm'],
];
