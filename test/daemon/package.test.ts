// The packed tarball, installed outside the checkout (scripts/lib/tests-inside.sh), does what the checkout does.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { connect, Namespace } from '../interop/harness/namespace.ts';
import { ping, reach } from '../interop/harness/traffic.ts';
import { ALL_DAEMONS, Wideplane } from '../interop/harness/wideplane.ts';

const installed = process.env.WIDEPLANE_PACKAGE;
assert.ok(installed, 'WIDEPLANE_PACKAGE names no installed package: run this file by ./scripts/test package');
const { version, bin } = JSON.parse(readFileSync(`${installed}/package.json`, 'utf8')) as {
  version: string;
  bin: { wideplane: string };
};
const executable = `${installed}/${bin.wideplane}`;

it('the installed executable says its version and loads its own addon', async () => {
  const host = await Namespace.create('host');
  const facts = JSON.parse(await host.run([executable, 'version', '--json'])) as Record<string, unknown>;
  assert.equal(facts.wideplane, version);
  assert.equal(facts.addonLoaded, true, String(facts.addon));
  assert.ok(String(facts.addon).includes(installed), String(facts.addon));
});

it('the installed executable starts, answers an echo on its self IP, and stops', async () => {
  const site = await Namespace.create('site');
  const host = await Namespace.create('host');
  await connect([site, 'e0'], [host, 'e0']);
  await host.addAddress('e0', '10.9.1.2/24');
  const configuration = `
    net interface 1.1 { device e0 adapter packet-ring address-owner wideplane }
    net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
    net self wan-self { address 10.9.1.1/24 vlan wan allow-service none }
  `;
  const wideplane = await Wideplane.start(site, configuration, { executable, daemons: ALL_DAEMONS });
  await reach(host, '10.9.1.1');
  assert.equal((await ping(host, '10.9.1.1')).received, 5);
  assert.match(await wideplane.tmsh('list net self'), /10\.9\.1\.1\/24/);
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
