// A configuration with overlays of a cluster, route domains, static routes of every kind, names and quotes of every kind:
// test/fixtures/bigip/overlay.conf. The shapes are those of published configurations, names and addresses our own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';

const TEXT = readFileSync('test/fixtures/bigip/overlay.conf', 'utf8');
const loaded = loadText(TEXT, emptyConfiguration(), { file: 'overlay.conf' });
const saved = printConfiguration(loaded.configuration, '1');
const view = (key: string) => loaded.configuration.views.get(key)?.properties;

/** A stanza of a text, by its header. */
function stanza(text: string, header: string): string {
  const at = text.indexOf(`\n${header} {`) + 1;
  assert.ok(at > 0, header);
  const end = text.startsWith(`${header} { }`, at) ? text.indexOf('}', at) : text.indexOf('\n}\n', at) + 1;
  return text.slice(at, end + 1);
}

describe('a configuration of a device with overlays', () => {
  it('takes effect where it is known', () => {
    assert.deepEqual(
      [view('net tunnels tunnel /Common/fl6')?.['local-address'], view('net tunnels vxlan /Common/fl-vxlan')?.port],
      ['2021:15::125', 8472],
    );
    assert.equal(view('net vlan /Common/HA')?.['cmp-hash'], 'src-ip');
    assert.deepEqual(view('net vlan /Common/internal')?.interfaces, { 1.1: { tagged: true, 'tag-mode': 'service' } });
    assert.equal(view('net route-domain /Common/rd_100')?.parent, '/Common/0');
    assert.deepEqual(view('net self /Common/self_int')?.['allow-service'], ['default', 'tcp:179']);
    assert.equal(view('net route /Common/default6')?.interface, '/Common/internal');
    assert.equal(view('net route /Common/hole')?.blackhole, true);
    assert.equal(view('net route /Common/lan')?.pool, '/Common/gwpool');
    assert.deepEqual(Object.keys((view('ltm pool /Common/gwpool')?.members ?? {}) as object), [
      '/Common/gw1:0',
      '/Common/gw2:0',
    ]);
    assert.equal(view('net vlan-group /Common/vg')?.mode, 'translucent');
    assert.deepEqual(view('gtm wideip a /Common/*.example.com')?.aliases, ['www.example.com']);
    assert.deepEqual(view('gtm region /Common/my region')?.['region-members'], { 'continent NA': {} });
    assert.equal(view('gtm topology ldns: not continent EU server: region "/Common/my region"')?.score, 50);
  });

  it('keeps all that is not known as it is written, and is the same after save and load', () => {
    assert.equal(printConfiguration(loadText(saved, emptyConfiguration()).configuration, '1'), saved);
    for (const header of [
      'cm device-group /Common/device_trust_group',
      'net tunnels tunnel /Common/http-tunnel',
      'net fdb tunnel /Common/http-tunnel',
      'net self-allow',
      'net dns-resolver /Common/r',
      'ltm rule /Common/r1',
      'ltm data-group internal /Common/dg',
      'gtm topology ldns: not continent EU server: region "/Common/my region"',
      'sys global-settings',
      'wom endpoint-discovery',
    ])
      assert.equal(stanza(saved, header), stanza(TEXT, header), header);
    assert.match(saved, /sflow \{\n {8}poll-interval-global no\n {8}sampling-rate-global no\n {4}\}/);
    assert.match(saved, /vlans \{\n {8}\/Common\/http-tunnel\n {8}\/Common\/internal\n/);
  });

  it('lists what is not known, each with its line', () => {
    const lines = TEXT.split('\n');
    const listed = loaded.unknown.map(({ text, position }) => `${lines[position.line - 1]!.trim()}: ${text}`);
    for (const [line, text] of [
      ['app-service none', 'net tunnels vxlan /Common/fl-vxlan: property "app-service" is not known'],
      ['fwd-mode l3', 'net vlan /Common/internal: property "fwd-mode" is not known'],
      ['net stp /Common/cist {', 'object "net stp /Common/cist" is of a type that is not known'],
      ['wom endpoint-discovery { }', 'object "wom endpoint-discovery" is of a type that is not known'],
    ])
      assert.ok(listed.includes(`${line}: ${text}`), `${line}: ${text} is not among:\n${listed.join('\n')}`);
  });
});
