import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import { serviceNumber } from '../../../src/tunnel/service.ts';
import { diffObjects } from '../../../src/config/change.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const TUNNELS = `
net tunnels vxlan own-port { defaults-from vxlan port 4790 flooding-type multipoint }
net tunnels vxlan no-port { defaults-from vxlan flooding-type multipoint }
net tunnels tunnel a { local-address 10.9.1.1 remote-address 10.9.1.2 key 1 profile own-port }
net tunnels tunnel b { local-address 10.9.1.1 remote-address 10.9.1.2 key 2 profile no-port }
net tunnels tunnel c { local-address 10.9.1.1 remote-address 10.9.1.2 key 3 profile vxlan-multipoint }
net tunnels tunnel d { local-address 10.9.1.1 remote-address 10.9.1.2 key 4 profile vxlan }
`;

const load = (text: string) => loadText(text, emptyConfiguration(), { file: 'test' });

function portsOf(text: string): number[] {
  const { tunnelMembers } = buildModel(viewOf(load(text).configuration.views.values()), new Map());
  return ['a', 'b', 'c', 'd'].map((name) => serviceNumber(tunnelMembers.get(`/Common/${name}`)!.tunnel.service));
}

describe('sys db', () => {
  it('lists what the manual asks for, as it asks for it', async () => {
    const session = new TmshSession();
    assert.match(await session.run('list sys db iptunnel.configsync value'), /value enable/);
    await session.run('modify sys db iptunnel.configsync value disable');
    await session.run('modify sys db iptunnel.vxlan.udpport value 8472');
    const listing = await session.run('list sys db');
    assert.match(listing, /sys db iptunnel.configsync \{\n {4}value disable\n\}/);
    assert.match(listing, /sys db iptunnel.vxlan.udpport \{\n {4}value 8472\n\}/);
  });

  it('refuses a value that cannot be, and names it', async () => {
    const session = new TmshSession();
    for (const [name, value] of [
      ['iptunnel.vxlan.udpport', '0'],
      ['iptunnel.vxlan.udpport', '65536'],
      ['iptunnel.vxlan.udpport', 'vxlan'],
      ['iptunnel.configsync', 'yes'],
      ['iptunnel.configsync', 'none'],
    ]) {
      await assert.rejects(session.run(`modify sys db ${name} value ${value}`), new RegExp(`${name}.*value ${value}`));
    }
    await assert.rejects(session.run('delete sys db iptunnel.configsync'), /part of the system/);
  });

  it('is saved when it is not as shipped, and read again', () => {
    const text = 'sys db iptunnel.vxlan.udpport { value 8472 }\nsys db provision.extramb { value 500 }\n';
    const { configuration, warnings } = load(text);
    const saved = printConfiguration(configuration, '1');
    assert.match(saved, /udpport \{\n {4}value 8472/);
    assert.match(saved, /provision.extramb \{\n {4}value 500/);
    assert.doesNotMatch(saved, /configsync/);
    assert.deepEqual(
      warnings.map((warning) => warning.text),
      ['DB variable (provision.extramb): no such variable is known; it is kept, but has no effect.'],
    );
    assert.equal(printConfiguration(load(saved).configuration, '1'), saved);
  });
});

describe('iptunnel.vxlan.udpport', () => {
  it('is the port of profiles that set none, their own or inherited', () => {
    assert.deepEqual(portsOf(TUNNELS), [4790, 4789, 4789, 4789]);
    assert.deepEqual(portsOf(`${TUNNELS}sys db iptunnel.vxlan.udpport { value 8472 }`), [4790, 8472, 8472, 8472]);
  });

  it('changes the profiles that follow it, and no others', () => {
    const before = load(TUNNELS).configuration;
    const after = load(`${TUNNELS}sys db iptunnel.vxlan.udpport { value 8472 }`).configuration;
    const changed = diffObjects(before.views, after.views).map(({ object }) => `${object.type} ${object.name}`);
    assert.ok(changed.includes('net tunnels vxlan /Common/no-port'));
    assert.ok(changed.includes('net tunnels vxlan /Common/vxlan'));
    assert.ok(!changed.includes('net tunnels vxlan /Common/own-port'));
    assert.ok(!changed.includes('net tunnels vxlan /Common/vxlan-gpe'));
  });

  it('leaves a port that was set alone, also when it is the usual one', () => {
    const text = `${TUNNELS.replace('port 4790', 'port 4789')}sys db iptunnel.vxlan.udpport { value 8472 }`;
    assert.deepEqual(portsOf(text), [4789, 8472, 8472, 8472]);
  });
});
