// Random tmsh commands over few names, so that most of them meet an object that is there.

import './secret-box.ts';
import fc from 'fast-check';

/** What such commands begin with: without an interface hardly any VLAN is accepted. */
export const FIRST_COMMANDS = [
  'create net interface 1.1 device eth1',
  'create net interface 1.2 device eth2',
  'create net vlan wan interfaces { 1.1 }',
  'create auth partition Other',
  'create net self s { address 10.1.1.1/24 vlan wan }',
];

const name = fc.constantFrom('a', 'b', 'c', 'wan', '/Common/d', '/Other/e', '/Other/sub/f');
const port = fc.constantFrom('1.1', '1.2', '2.1');
const ip = fc.constantFrom('10.1.1.1', '10.1.1.2', '10.2.0.1%0', '2001:db8::1', '239.1.1.1');
const mac = fc.constantFrom('0:0:0:0:0:1', '00:00:00:00:00:02', 'ff:ff:ff:ff:ff:ff');
const profile = fc.constantFrom('vxlan', 'vxlan-multipoint', 'p', 'q');
const text = fc.string({ maxLength: 12 }).map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`);

const property = fc.oneof(
  fc.constantFrom('mtu 1400', 'mtu 1500', 'mtu default', 'tag 7', 'tag 4094', 'description none', 'failsafe enabled'),
  text.map((value) => `description ${value}`),
);

export const command = fc.oneof(
  port.map((key) => `create net interface ${key} { device eth${key} }`),
  fc
    .tuple(port, fc.constantFrom('enabled', 'disabled', 'adapter udp', 'adapter packet-ring'))
    .map(([key, value]) => `modify net interface ${key} ${value}`),
  fc
    .tuple(name, port, fc.constantFrom('', '{ tagged }'), property)
    .map(([key, on, how, value]) => `create net vlan ${key} { interfaces add { ${on} ${how} } ${value} }`),
  fc.tuple(name, property).map(([key, value]) => `modify net vlan ${key} ${value}`),
  fc
    .tuple(name, fc.constantFrom('add', 'delete', 'replace-all-with', 'modify'), port)
    .map(([key, verb, on]) => `modify net vlan ${key} interfaces ${verb} { ${on} }`),
  fc
    .tuple(
      fc.constantFrom('p', 'q'),
      profile,
      fc.constantFrom('port 5000', 'port default', 'flooding-type none', 'udp-checksum enabled'),
    )
    .map(([key, parent, value]) => `create net tunnels vxlan ${key} { defaults-from ${parent} ${value} }`),
  fc
    .tuple(
      fc.constantFrom('p', 'q', 'vxlan'),
      fc.constantFrom('port 5000', 'port 4789', 'flooding-type multipoint', 'defaults-from q'),
    )
    .map(([key, value]) => `modify net tunnels vxlan ${key} ${value}`),
  fc
    .tuple(name, ip, ip, profile, fc.nat(3))
    .map(
      ([key, local, remote, of, vni]) =>
        `create net tunnels tunnel ${key} { local-address ${local} remote-address ${remote} profile ${of} key ${vni} }`,
    ),
  fc
    .tuple(name, profile)
    .map(([key, of]) => `create net tunnels tunnel ${key} { local-address 10.1.1.1 profile ${of} }`),
  fc
    .tuple(name, fc.constantFrom('tos 46', 'tos preserve', 'ttl 64', 'mtu 1450', 'key 9'))
    .map(([key, value]) => `modify net tunnels tunnel ${key} ${value}`),
  fc.tuple(name, name, name).map(([key, one, two]) => `create net vlan-group ${key} members add { ${one} ${two} }`),
  fc.tuple(name, ip, name).map(([key, address, on]) => `create net self ${key} { address ${address}/24 vlan ${on} }`),
  fc.tuple(ip, mac).map(([address, at]) => `create net arp ${address} mac-address ${at}`),
  fc
    .tuple(name, fc.constantFrom('add', 'modify', 'replace-all-with'), mac, ip)
    .map(
      ([key, verb, at, end]) =>
        `modify net fdb tunnel ${key} records ${verb} { ${at} { ${at.startsWith('ff') ? `endpoints replace-all-with { ${end} }` : `endpoint ${end}`} } }`,
    ),
  fc
    .tuple(name, mac, port)
    .map(([key, at, on]) => `modify net fdb vlan ${key} records add { ${at} { interface ${on} } }`),
  fc
    .tuple(
      fc.constantFrom(
        'net vlan',
        'net tunnels tunnel',
        'net tunnels vxlan',
        'net vlan-group',
        'net self',
        'net interface',
      ),
      fc.oneof(name, port, fc.constantFrom('p', 'q')),
    )
    .map(([type, key]) => `delete ${type} ${key}`),
  fc.constantFrom(
    'create auth partition Other',
    'create sys folder /Other/sub',
    'delete auth partition Other',
    'delete sys folder /Other/sub',
    'create net route-domain 5 { id 5 vlans { wan } }',
    'modify auth partition Other default-route-domain 5',
    'modify auth partition Other default-route-domain 0',
    'modify auth partition Other description x',
  ),
  fc
    .tuple(fc.constantFrom('net vlan', 'net tunnels tunnel', 'net self', 'net route', 'ltm pool'), name)
    .map(([type, key]) => `mv ${type} ${key} to-folder /Other`),
  fc
    .tuple(name, fc.constantFrom('10.1.1.9', '10.1.1.9%0', '10.1.1.9%5'), fc.constantFrom('', 'network default%0'))
    .map(([key, gw, network]) => `create net route ${key} { gw ${gw} ${network} }`),
  fc.tuple(name, ip).map(([key, member]) => `cd /Other; create ltm pool ${key} { members { ${member}:0 } }; cd`),
  fc.constantFrom(
    'modify ltm global-settings general l2-cache-timeout 60',
    'modify ltm global-settings general l2-cache-timeout default',
  ),
);

const domain = fc.constantFrom('0', '5', '6', '7');
const encapsulation = fc.constantFrom('standard', 'transparent-ethernet-bridging', 'nvgre');
const gre = fc.constantFrom('p', 'g', 'h');
const network = fc.constantFrom('default', 'default%5', '10.5.0.0/16', '10.6.0.0/16%5', '2001:db8:5::/48');

/** Route domains, routes, GRE, and what else can take from an object what others stand on. */
const routedCommand = fc.oneof(
  fc
    .tuple(domain, fc.constantFrom('', 'parent 0', 'parent 5', 'parent 6'), fc.constantFrom('strict disabled', 'id 5'))
    .map(([key, parent, value]) => `create net route-domain ${key} { ${parent} ${value} }`),
  fc
    .tuple(domain, fc.constantFrom('add', 'delete', 'replace-all-with'), name)
    .map(([key, verb, vlan]) => `modify net route-domain ${key} vlans ${verb} { ${vlan} }`),
  fc.tuple(domain, domain).map(([key, parent]) => `modify net route-domain ${key} parent ${parent}`),
  fc
    .tuple(name, network, fc.constantFrom('blackhole', 'gw 10.1.1.9', 'gw 10.2.0.9', 'gw 10.1.1.9%5', ''))
    .map(([key, to, way]) => `create net route ${key} { network ${to} ${way} }`),
  fc.tuple(name, network, name).map(([key, to, vlan]) => `create net route ${key} { network ${to} interface ${vlan} }`),
  fc
    .tuple(
      name,
      fc.oneof(
        fc.constantFrom('gw 10.1.1.9', 'no-blackhole'),
        name.map((vlan) => `interface ${vlan}`),
      ),
    )
    .map(([key, way]) => `modify net route ${key} ${way}`),
  fc
    .tuple(name, fc.constantFrom('10.1.1.7%5/24', '10.1.1.7/24', '239.1.1.1/24'), name)
    .map(([key, address, vlan]) => `create net self ${key} { address ${address} vlan ${vlan} }`),
  fc.tuple(name, name).map(([key, vlan]) => `modify net self ${key} vlan ${vlan}`),
  name.map((key) => `create net self ${key} address 10.3.0.1/24`),
  fc.tuple(gre, encapsulation).map(([key, value]) => `create net tunnels gre ${key} encapsulation ${value}`),
  fc.tuple(gre, encapsulation).map(([key, value]) => `modify net tunnels gre ${key} encapsulation ${value}`),
  fc.tuple(gre, gre).map(([key, parent]) => `modify net tunnels gre ${key} defaults-from ${parent}`),
  gre.map((key) => `create net tunnels etherip ${key}`),
  fc
    .tuple(name, fc.oneof(gre, profile), fc.constantFrom('10.1.1.1', '10.1.1.1%5', 'any', '2001:db8::1'))
    .map(([key, of, local]) => `create net tunnels tunnel ${key} { local-address ${local} profile ${of} key 300 }`),
  fc
    .tuple(
      name,
      fc.oneof(
        fc.constantFrom('transparent enabled', 'transparent disabled', 'secondary-address 10.1.1.7', 'key 1'),
        fc.constantFrom('local-address 10.1.1.2', 'remote-address 10.1.1.2', 'remote-address any', 'key 16777216'),
        fc.oneof(gre, profile).map((of) => `profile ${of}`),
      ),
    )
    .map(([key, value]) => `modify net tunnels tunnel ${key} ${value}`),
  fc
    .tuple(name, fc.constantFrom('add', 'delete', 'replace-all-with'), name)
    .map(([key, verb, member]) => `modify net vlan-group ${key} members ${verb} { ${member} }`),
  fc
    .tuple(
      fc.constantFrom('net route-domain', 'net route', 'net tunnels gre', 'net tunnels etherip', 'net arp'),
      fc.oneof(name, domain, gre, ip),
    )
    .map(([type, key]) => `delete ${type} ${key}`),
);

const origin = fc.constantFrom('x.test', 'X.test', '/Other/x.test', 'sub.x.test');
const record = fc.constantFrom(
  'www/a { data { 192.0.2.1 } }',
  'WWW/a { data { 192.0.2.2 } ttl 5 }',
  'www/cname { data { ns1 } }',
  'mail/mx { data { "10 gone" } }',
  '@/ns { data { ns2 } }',
  'ns1/a { data { rubbish } }',
);
const SOUND = '@/soa { data { "ns1 h 1 2 3 4 5" } } @/ns { data { ns1 } } ns1/a { data { 192.0.2.53 } }';

/** DNS: listeners that exclude each other, their profiles, and zones. */
export const dnsCommand = fc.oneof(
  origin.map((key) => `create gtm zone ${key} { records { ${SOUND} } }`),
  origin.map((key) => `create gtm zone ${key} file zone.db`),
  fc
    .tuple(origin, fc.constantFrom('add', 'modify', 'replace-all-with'), record)
    .map(([key, verb, value]) => `modify gtm zone ${key} records ${verb} { ${value} }`),
  fc
    .tuple(origin, fc.constantFrom('records delete { www/a }', 'disabled', 'enabled', 'file none', 'default-ttl 60'))
    .map(([key, value]) => `modify gtm zone ${key} ${value}`),
  fc
    .tuple(gre, fc.constantFrom('10.1.1.1', '10.1.1.1%5', 'any'), fc.constantFrom('', 'disabled', 'engine ring'))
    .map(([key, address, value]) => `create gtm listener ${key} { address ${address} ${value} }`),
  fc
    .tuple(
      gre,
      fc.constantFrom('port 54', 'ip-protocol tcp', 'enabled', 'engine ring', 'profiles { p }', 'profiles none'),
    )
    .map(([key, value]) => `modify gtm listener ${key} ${value}`),
  fc
    .tuple(
      gre,
      fc.constantFrom('local-bind-address 10.1.1.1', 'local-bind-port 54', 'defaults-from g', 'enable-cache yes'),
    )
    .map(([key, value]) => `create ltm profile dns ${key} ${value}`),
  fc
    .tuple(fc.constantFrom('gtm listener', 'ltm profile dns', 'gtm zone'), fc.oneof(gre, origin))
    .map(([type, key]) => `delete ${type} ${key}`),
);

const server = fc.constantFrom('s', 't', '/Other/s');
const virtualServer = fc.constantFrom('v', 'w', '/Common/v');
const member = fc.tuple(server, virtualServer).map(([of, at]) => `${of}:${at}`);
const pool = fc.constantFrom('p', 'q', '/Other/p');
const ofAddresses = fc.constantFrom('a', 'aaaa');
const wideIp = fc.constantFrom('www.test', 'Www.test', 'x.test', '*.test', 'w?.test');
const destination = fc.constantFrom('192.0.2.1:80', '192.0.2.2:http', '2001:db8::1.443');
const region = fc.constantFrom('r', 'u');
const statement = fc
  .tuple(
    fc.constantFrom('', 'not '),
    fc.oneof(
      fc.constantFrom('continent EU', 'country US', 'subnet 10.1.2.3/8', 'isp "Some Net"', 'datacenter dc'),
      region.map((name) => `region ${name}`),
      pool.map((name) => `pool ${name}`),
    ),
  )
  .map((parts) => parts.join(''));
const verb = fc.constantFrom('add', 'delete', 'replace-all-with');

/** What wide IPs need so that some of the commands below are accepted. */
export const WIDE_IP_COMMANDS = [
  'create gtm datacenter dc',
  'create gtm server s { datacenter dc devices { s { addresses { 192.0.2.9 } } } virtual-servers { v { destination 192.0.2.1:80 } w { destination 2001:db8::1.80 } } }',
  'create gtm pool a p members { s:v }',
  'create gtm wideip a www.test { pools { p } last-resort-pool a p }',
  'create gtm region r region-members { continent EU }',
  'create gtm topology ldns: region r server: pool p score 3',
];

export const wideIpCommand = fc.oneof(
  server.map((name) => `create gtm server ${name} { datacenter dc devices { d { addresses { 192.0.2.8 } } } }`),
  fc
    .tuple(server, fc.constantFrom('add', 'modify'), virtualServer, destination)
    .map(([name, how, at, to]) => `modify gtm server ${name} virtual-servers ${how} { ${at} { destination ${to} } }`),
  fc
    .tuple(server, virtualServer, member)
    .map(([name, at, of]) => `modify gtm server ${name} virtual-servers modify { ${at} { depends-on { ${of} } } }`),
  fc.tuple(server, virtualServer).map(([name, at]) => `modify gtm server ${name} virtual-servers delete { ${at} }`),
  fc.tuple(ofAddresses, pool, member).map(([type, name, of]) => `create gtm pool ${type} ${name} members { ${of} }`),
  fc
    .tuple(ofAddresses, pool, verb, member)
    .map(([type, name, how, of]) => `modify gtm pool ${type} ${name} members ${how} { ${of} }`),
  fc
    .tuple(
      ofAddresses,
      pool,
      fc.constantFrom('ttl 7', 'fallback-ip 192.0.2.7', 'fallback-ip 2001:db8::7', 'min-members-up-mode percent'),
    )
    .map(([type, name, value]) => `modify gtm pool ${type} ${name} ${value}`),
  fc.tuple(ofAddresses, wideIp, pool).map(([type, name, of]) => `create gtm wideip ${type} ${name} pools { ${of} }`),
  fc
    .tuple(
      ofAddresses,
      wideIp,
      fc.oneof(
        fc.tuple(verb, wideIp).map(([how, name]) => `aliases ${how} { ${name} }`),
        fc.tuple(ofAddresses, pool).map((parts) => `last-resort-pool ${parts.join(' ')}`),
        fc.tuple(verb, pool).map(([how, name]) => `pools ${how} { ${name} }`),
        fc.constantFrom('last-resort-pool none', 'disabled', 'enabled', 'persistence enabled'),
      ),
    )
    .map(([type, name, value]) => `modify gtm wideip ${type} ${name} ${value}`),
  region.map((name) => `create gtm region ${name}`),
  fc
    .tuple(region, verb, statement)
    .map(([name, how, of]) => `modify gtm region ${name} region-members ${how} { ${of} }`),
  fc.tuple(statement, statement).map(([ldns, of]) => `create gtm topology ldns: ${ldns} server: ${of} score 2`),
  fc.tuple(statement, statement).map(([ldns, of]) => `delete gtm topology ldns: ${ldns} server: ${of}`),
  fc
    .tuple(
      fc.constantFrom('gtm server', 'gtm pool a', 'gtm pool aaaa', 'gtm wideip a', 'gtm region', 'gtm datacenter'),
      fc.oneof(server, pool, wideIp, region),
    )
    .map(([type, name]) => `delete ${type} ${name}`),
  fc
    .tuple(
      fc.constantFrom('gtm server', 'gtm pool a', 'gtm pool aaaa', 'gtm region'),
      fc.oneof(server, pool, region),
      pool,
    )
    .map(([type, from, to]) => `mv ${type} ${from} ${to}`),
  fc.tuple(ofAddresses, wideIp).map(([type, name]) => `create gtm distributed-app p wideips { ${type} ${name} }`),
  fc
    .constantFrom('strict', 'none', 'default')
    .map((value) => `modify gtm global-settings general domain-name-check ${value}`),
);

/** Over all types whose checks look at other objects. */
export const anyCommand = fc.oneof(command, routedCommand, dnsCommand, wideIpCommand);
