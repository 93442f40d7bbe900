import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyChanges, diffObjects } from '../../src/config/change.ts';
import type { ObjectMap } from '../../src/config/change.ts';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { OBJECT_TYPES } from '../../src/config/object-types.ts';
import { printConfiguration } from '../../src/config/print.ts';
import { vocabularyOf } from '../../src/config/read-properties.ts';
import { ConfigErrors } from '../../src/config/transaction.ts';
import { ConfigSyntaxError } from '../../src/core/errors.ts';
import type { TextPosition } from '../../src/core/errors.ts';
import { TmshSession } from '../support/tmsh-session.ts';

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

/** Commands over few names, so that most of them meet an object that is there. */
const command = fc.oneof(
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

const start = fc.constant([
  'create net interface 1.1 device eth1',
  'create net interface 1.2 device eth2',
  'create net vlan wan interfaces { 1.1 }',
  'create auth partition Other',
  'create net self s { address 10.1.1.1/24 vlan wan }',
]);
const commands = fc.tuple(start, fc.array(command, { maxLength: 30 })).map((parts) => parts.flat());

function reload(configuration: Configuration): Configuration {
  return loadText(printConfiguration(configuration, '1'), emptyConfiguration()).configuration;
}

function plain(views: ObjectMap): object {
  return Object.fromEntries([...views].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('random change sequences', () => {
  it('give what a fresh start from the saved text gives, by diffs as by snapshot', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const session = new TmshSession();
        let followed: ObjectMap = session.configuration.views;
        for (const each of sequence) {
          const before = session.configuration;
          if ((await session.refusal(each)) !== undefined) {
            assert.equal(session.configuration, before);
            continue;
          }
          accepted++;
          followed = applyChanges(followed, diffObjects(before.views, session.configuration.views));
        }
        assert.deepEqual(plain(followed), plain(session.configuration.views));
        const again = reload(session.configuration);
        assert.deepEqual(plain(again.views), plain(session.configuration.views));
        assert.equal(printConfiguration(again, '1'), printConfiguration(session.configuration, '1'));
        assert.deepEqual(diffObjects(session.configuration.views, again.views), []);
      }),
      { numRuns: 150 },
    );
    assert.ok(accepted > 400, `only ${accepted} commands were accepted: the property says little`);
  });
});

const words = fc.constantFrom(
  ...OBJECT_TYPES.flatMap((type) => [type.path, ...vocabularyOf(type.properties).keys()]),
  ...[
    '{',
    '}',
    '{',
    '}',
    '"',
    '\\',
    '#',
    '\n',
    '\n',
    'none',
    'default',
    'all',
    'add',
    'x',
    '1',
    '1.1',
    '10.1.1.1',
    '10.1.1.1/24',
  ],
  ...['00:00:00:00:00:01', 'vxlan', '/Common/wan', '/', '%', '__proto__', 'constructor', 'toString', '\0', 'é', '😀'],
);
const garbage = fc.oneof(
  fc.array(words, { maxLength: 40 }).map((parts) => parts.join(' ')),
  fc
    .array(fc.tuple(words, words, words, words), { maxLength: 8 })
    .map((parts) => parts.map(([a, b, c, d]) => `net vlan ${a} {\n ${b} ${c}\n${d} }\n`).join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
);

function isWithin(position: TextPosition | undefined, source: string): boolean {
  if (position === undefined) return false;
  const lines = source.split('\n');
  const line = lines[position.line - 1];
  return line !== undefined && position.column >= 1 && position.column <= line.length + 1;
}

describe('garbage', () => {
  it('is refused with a place inside it, or kept so that it reads the same again', () => {
    fc.assert(
      fc.property(garbage, (source) => {
        try {
          const { configuration } = loadText(source, emptyConfiguration());
          const printed = printConfiguration(configuration, '1');
          assert.equal(printConfiguration(reload(configuration), '1'), printed);
        } catch (error) {
          const errors = error instanceof ConfigErrors ? error.errors : [error];
          for (const each of errors) {
            if (each instanceof ConfigSyntaxError) assert.ok(isWithin(each.details.position, source), each.message);
            else if (error instanceof ConfigErrors) assert.ok(each instanceof Error && each.name === 'ConfigError');
            else throw error;
          }
          if (error instanceof ConfigErrors) {
            for (const each of error.errors) assert.ok(isWithin(each.details.position, source), each.message);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('as a command changes nothing and says why', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('create ', 'modify ', 'delete ', 'list ', ''), garbage, async (verb, rest) => {
        const session = new TmshSession();
        const before = session.configuration;
        if ((await session.refusal(verb + rest)) !== undefined) assert.equal(session.configuration, before);
      }),
      { numRuns: 1500 },
    );
  });
});
