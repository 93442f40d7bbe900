// Files as a BIG-IP writes them: bigip_base.conf, bigip_gtm.conf, bigip.conf with iRules, and the oddities of apm and asm.
// Structure and syntax are those of real devices, names and addresses our own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import type { Loaded } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { ConfigErrors } from '../../../src/config/transaction.ts';

/** A device reads bigip_base.conf first: the routes of bigip.conf lead over its self IPs. */
function read(name: string): string {
  const text = readFileSync(`test/fixtures/bigip/${name}.conf`, 'utf8');
  return name === 'ltm' ? `${read('base')}\n${text}` : text;
}

const print = ({ configuration }: Loaded): string => printConfiguration(configuration, '1');

/** What is wrong with it is the message of the test. */
function load(text: string, file = 'bigip.conf'): Loaded {
  try {
    return loadText(text, emptyConfiguration(), { file });
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    const lines = error.errors.map(({ details, message }) => `${details.position?.line}: ${message}`);
    assert.fail(lines.join('\n'));
  }
}

/** The stanzas of a text as a BIG-IP writes it, by their first line. */
function stanzas(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const start = /^(?:analytics|apm|asm|auth|cli|cm|gtm|ltm|net|pem|security|sys|vcmp|wom) [^\n]*\{/gm;
  const starts = [...text.matchAll(start)].map((match) => match.index);
  for (const [index, at] of starts.entries()) {
    const stanza = text.slice(at, starts[index + 1] ?? text.length).replace(/\s*(?:#TMSH.*)?\s*$/, '');
    found.set(stanza.slice(0, stanza.indexOf('{')).trim(), stanza);
  }
  return found;
}

/** Types of which there are objects with an effect. */
const KNOWN =
  /^(?:net (?:interface|vlan|self|route|route-domain|tunnels|fdb|arp) |ltm (?:monitor|node|pool|virtual) |auth partition |sys (?:db|folder) |gtm (?:datacenter|region|server|topology|pool|wideip|global-settings general\b))/;

describe('files of a BIG-IP', () => {
  for (const name of ['base', 'gtm', 'ltm', 'apm']) {
    it(`${name}.conf loads, keeps what is not known as it is written, and survives save and load`, () => {
      const text = read(name);
      const loaded = load(text);
      const saved = print(loaded);
      assert.equal(print(load(saved)), saved);
      const before = stanzas(text);
      const after = stanzas(saved);
      assert.ok(before.size > 10);
      for (const [header, stanza] of before) {
        if (!KNOWN.test(header)) assert.equal(after.get(header), stanza, header);
      }
      const unknown = new Set([...before.keys()].filter((header) => !KNOWN.test(header)));
      const listed = loaded.unknown.filter(({ kind }) => kind === 'object').map(({ text: what }) => what);
      for (const header of unknown) {
        const words = header.replaceAll('\\', '');
        assert.ok(
          listed.some((what) => what.startsWith(`object "${words}" `)),
          header,
        );
      }
    });

    it(`${name}.conf loads with the line ends and the mark of another system, and in one with others`, () => {
      const saved = print(load(read(name)));
      assert.equal(print(load(`\uFEFF${read(name).replaceAll('\n', '\r\n')}`)), saved);
      const both = load(`${read(name)}\n${read(name === 'gtm' ? 'base' : 'gtm')}`);
      assert.equal(print(load(print(both))), print(both));
    });
  }

  it('base.conf takes effect where it is known', () => {
    const { configuration, unknown } = load(read('base'));
    const own = (key: string) => configuration.objects.get(key)?.own;
    assert.equal(own('net interface 1.4')?.description, 'to the "old" core, port {7}');
    assert.deepEqual(own('net vlan /Common/trunked')?.interfaces, { 1.2: { tagged: true } });
    assert.equal(own('net vlan /Common/internal')?.mtu, 9000);
    assert.deepEqual(own('net route-domain /Common/0')?.vlans, [
      '/Common/internal',
      '/Common/trunked',
      '/Common/external',
    ]);
    assert.deepEqual(own('net self /Common/internal-float')?.['allow-service'], ['tcp:443', 'udp:53']);
    assert.equal(own('net route /Common/default-gw')?.gw, '203.0.113.1');
    assert.equal(configuration.views.get('net tunnels tunnel /Common/overlay')?.properties.key, 4242);
    assert.equal(configuration.views.get('net tunnels vxlan /Common/overlay-profile')?.properties.port, 8472);

    // A tunnel of a kind that is not known, and all that leans on it, has no effect.
    for (const type of ['net tunnels tunnel', 'net fdb tunnel']) {
      assert.equal(own(`${type} /Common/branch-ipip`), undefined);
    }
    assert.equal(own('net self /Common/branch-self'), undefined);
    assert.equal(own('net route /Common/to-branch'), undefined);
    const texts = unknown.map((entry) => `${entry.position.line} ${entry.text}`);
    const line = (of: string) => read('base').split('\n').indexOf(of) + 1;
    assert.ok(
      texts.includes(
        `${line('net tunnels tunnel /Common/branch-ipip {')} object "net tunnels tunnel /Common/branch-ipip" has profile ` +
          '/Common/ipip: net tunnels profile /Common/ipip is not known in this version',
      ),
      texts.join('\n'),
    );
    assert.ok(
      texts.some((text) => text.endsWith('interfaces names uplink: net trunk uplink is not known in this version')),
      texts.join('\n'),
    );
  });

  it('writes what it keeps where it stood', () => {
    const saved = print(load(read('base')));
    const index = (what: string) => {
      const at = saved.indexOf(`\n${what}`);
      assert.ok(at >= 0, what);
      return at;
    };
    const order = ['net interface mgmt', 'net port-list', 'net vlan /Common/external', 'net route-domain /Common/0'];
    const places = order.map(index);
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.match(saved, /interfaces \{\n {8}uplink \{\n {12}tagged\n {8}\}\n {8}1\.2 \{\n {12}tagged\n {8}\}/);
    assert.match(saved, /vlans \{\n {8}\/Common\/http-tunnel\n {8}\/Common\/socks-tunnel\n {8}\/Common\/internal\n/);
    assert.match(saved, /\nnet vlan \/Common\/internal \{[^}]*\n {4}fwd-mode l3\n/);
  });

  it('the files of a device may be loaded one after the other', () => {
    let loaded = load(read('base'));
    for (const name of ['ltm', 'gtm', 'apm']) {
      const text = readFileSync(`test/fixtures/bigip/${name}.conf`, 'utf8');
      const { configuration } = loaded;
      loaded = loadText(text, configuration, { file: `${name}.conf`, mergeInto: configuration });
      assert.ok(loaded.unknown.length > 1);
      assert.ok(loaded.unknown.every(({ position }) => position.file === `${name}.conf`));
    }
    assert.ok(loaded.configuration.objects.has('net route /Common/uplinks'));
    assert.ok(loaded.configuration.objects.has('net vlan /Common/portal'));
    assert.equal(print(load(print(loaded))), print(loaded));
  });

  it('gtm.conf takes effect where it is known', () => {
    const { configuration, unknown } = load(read('gtm'));
    const view = (key: string) => configuration.views.get(key)?.properties;
    assert.equal(view('gtm datacenter /Common/berlin')?.location, 'Berlin, Hall 3');
    assert.equal(view('gtm pool a /Common/www_pool')?.['fallback-ip'], '203.0.113.99');
    assert.equal(view('gtm topology ldns: not country DE server: pool /Common/www_pool')?.score, 20);
    const wideIp = view('gtm wideip a /Common/www.example.net');
    assert.deepEqual(wideIp?.aliases, ['*.shop.example.net', 'web.example.net']);
    assert.equal(wideIp['last-resort-pool'], 'a /Common/www_pool');
    assert.deepEqual(wideIp.rules, ['/Common/refuse-any']);
    assert.deepEqual(
      unknown.map(({ type, name }) => `${type}|${name}`),
      ['gtm rule|/Common/refuse-any', 'gtm global-settings metrics-exclusions|'],
    );
  });

  it('ltm.conf has pools whose rules over monitors stay as they are', () => {
    const loaded = load(read('ltm'));
    const pool = loaded.configuration.objects.get('ltm pool /Common/gateways');
    assert.equal(pool?.own.monitor, 'min 1 of { /Common/gateway_icmp /Common/probe }');
    assert.ok(print(loaded).includes('\n    monitor /Common/app_http and /Common/tcp\n'));
    assert.ok(loaded.configuration.objects.has('net route /Common/uplinks'));
  });
});
