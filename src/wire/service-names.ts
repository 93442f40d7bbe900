// Names of IP protocols and of ports, as they stand in a configuration: `tcp:443`, `udp:domain`, `ospf`.
//
// A service is packed into one number, protocol << 16 | port; port 0 stands for every port of the protocol. Numbers are
// those of IANA; the port names are those that a BIG-IP prints for the ports of its own services and of common ones.

/** Numbers of IP protocols by name. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipencap: 4,
  tcp: 6,
  egp: 8,
  udp: 17,
  ipv6: 41,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  eigrp: 88,
  ospf: 89,
  etherip: 97,
  pim: 103,
  ipcomp: 108,
  vrrp: 112,
  l2tp: 115,
  isis: 124,
  sctp: 132,
};

const PORTS: Readonly<Record<string, number>> = {
  any: 0,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  ntp: 123,
  snmp: 161,
  snmptrap: 162,
  bgp: 179,
  ldap: 389,
  https: 443,
  isakmp: 500,
  syslog: 514,
  efs: 520,
  router: 520,
  ripng: 521,
  ldaps: 636,
  'domain-s': 853,
  imaps: 993,
  pop3s: 995,
  cap: 1026,
  radius: 1812,
  'radius-acct': 1813,
  bfd: 3784,
  'f5-iquery': 4353,
  'ipsec-nat-t': 4500,
  vxlan: 4789,
  geneve: 6081,
  webcache: 8080,
};

const TEXT = /^([a-z][a-z0-9-]*|\d{1,3})(?::([a-z][a-z0-9-]*|\d{1,5}))?$/;

/** Packs a protocol and a port, or 0 for all of them. */
export const packService = (protocol: number, port: number): number => (protocol << 16) | port;

/** `tcp:443` as a number; undefined when the protocol or the port is not known. */
export function parseService(text: string): number | undefined {
  const [, protocolText, portText = '0'] = TEXT.exec(text) ?? [];
  if (protocolText === undefined) return undefined;
  const protocol = numberOf(protocolText, PROTOCOLS, 255);
  const port = parsePort(portText);
  return protocol === undefined || port === undefined ? undefined : packService(protocol, port);
}

/** A port by its number or its name; `any` is 0. */
export function parsePort(text: string): number | undefined {
  return numberOf(text, PORTS, 65_535);
}

function numberOf(text: string, names: Readonly<Record<string, number>>, most: number): number | undefined {
  if (Object.hasOwn(names, text)) return names[text];
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  return number <= most ? number : undefined;
}

/** What `default` stands for: the services of a BIG-IP itself (`net self-allow defaults`). */
export const DEFAULT_SERVICES: readonly number[] = [
  ...['igmp', 'ospf', 'pim'],
  ...[22, 53, 161, 443, 4353].map((port) => `tcp:${port}`),
  ...[53, 161, 520, 1026, 4353].map((port) => `udp:${port}`),
].map((text) => parseService(text)!);
