// What routes and route domains may say, and what is said to those that may not.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TmshSession } from '../../support/tmsh-session.ts';

async function session(): Promise<TmshSession> {
  const tmsh = new TmshSession();
  await tmsh.run(
    'create net interface 1.1 device e1',
    'create net interface 1.2 device e2',
    'create net interface 1.3 { device e3 adapter udp }',
    'create net vlan a { interfaces add { 1.1 { tagged } } tag 10 }',
    'create net vlan b { interfaces add { 1.2 { tagged } } tag 20 }',
    'create net vlan host { interfaces add { 1.3 } tag 30 }',
    'create net route-domain 5 { vlans add { b } }',
    'create net self a { address 10.1.0.1/24 vlan a }',
    'create net self b { address 10.1.0.1%5/24 vlan b }',
    'create net self host { address 10.3.0.1/24 vlan host }',
  );
  return tmsh;
}

describe('net route', () => {
  it('refuses what leads nowhere, says why, and names the value', async () => {
    const tmsh = await session();
    const cases: [string, RegExp][] = [
      ['network 10.9.0.0/16', /it leads nowhere/],
      ['network 10.9.0.0/16 blackhole gw 10.1.0.2', /several things at once/],
      ['network 10.9.0.1/16 blackhole', /the network is 10\.9\.0\.0\/16/],
      ['network 10.9.0.0/16 gw 10.2.0.2', /gateway 10\.2\.0\.2 is not directly connected via an interface/],
      ['network 10.9.0.0/16 gw 10.1.0.1', /gateway 10\.1\.0\.1 is self IP \(\/Common\/a\)/],
      ['network 10.9.0.0/16 gw 2001:db8::1', /another IP version/],
      ['network 10.9.0.0%6/16 blackhole', /Route Domain \(6\) was not found/],
      ['network 10.9.0.0/16 gw 10.3.0.2', /interface 1\.3 of VLAN \(\/Common\/host\), which has address-owner host/],
      ['network 10.9.0.0/16 pool none-such', /Pool \(\/Common\/none-such\) was not found/],
    ];
    for (const [text, expected] of cases) {
      assert.match((await tmsh.refusal(`create net route r { ${text} }`)) ?? 'accepted', expected, text);
    }
  });

  it('takes its network from the name, and prints it in one way', async () => {
    const tmsh = await session();
    await tmsh.run(
      'create net route 10.9.0.0%5/16 { gw 10.1.0.2%5 }',
      'create net route other { network 10.8.0.0/255.255.0.0 blackhole }',
      'create net route default { gw 10.1.0.2 mtu 1400 }',
      'create net route six { network default-inet6 blackhole }',
    );
    assert.equal(
      await tmsh.run('list net route one-line'),
      `net route 10.9.0.0%5/16 { gw 10.1.0.2%5 network 10.9.0.0%5/16 }
net route default { gw 10.1.0.2 mtu 1400 network default }
net route other { blackhole network 10.8.0.0/16 }
net route six { blackhole network default-inet6 }
`,
    );
    assert.match(
      (await tmsh.refusal('create net route twin { network 10.8.0.0/16 blackhole }'))!,
      /has Route \(\/Common\/other\)/,
    );
  });

  it('takes a pool of gateways, each of which has to be near', async () => {
    const tmsh = await session();
    await tmsh.run('create ltm pool gws { members add { 10.1.0.2:0 10.1.0.3:any } }');
    await tmsh.run('create net route r { network 10.9.0.0/16 pool gws }');
    assert.match(await tmsh.run('list ltm pool one-line'), /members \{ 10\.1\.0\.2:0 \{ \} 10\.1\.0\.3:0 \{ \} \}/);
    const refusal = await tmsh.refusal('modify ltm pool gws members add { 10.77.0.1:0 }');
    assert.match(refusal!, /Static route gateway 10\.77\.0\.1 is not directly connected/);
  });

  it('is warned of where it leads into another route domain that is strict', async () => {
    const tmsh = await session();
    const output = await tmsh.run('create net route r { network 10.9.0.0/16 gw 10.1.0.2%5 }');
    assert.match(output, /leads from route domain 0 into 5, and one of the two is strict/);
    await tmsh.run('modify net route-domain 0 strict disabled');
    assert.doesNotMatch(await tmsh.run('modify net route-domain 5 strict disabled'), /one of the two is strict/);
  });
});

describe('net route-domain', () => {
  it('has each VLAN once, and self IPs where their VLAN is', async () => {
    const tmsh = await session();
    const cases: [string, RegExp][] = [
      ['create net route-domain 6 { vlans add { b } }', /\/Common\/b is already in Route Domain \(\/Common\/5\)/],
      ['create net route-domain six { id 5 }', /id 5 belongs to Route Domain \(\/Common\/5\)/],
      [
        'create net route-domain 6 { vlans add { a } }',
        /must be one of the vlans in the associated route domain \(\/Common\/0\)/,
      ],
      [
        'create net route-domain 6 { vlans add { host } }',
        /address-owner host, whose kernel knows route domain 0 only/,
      ],
      ['create net self c { address 10.7.0.1/24 vlan b }', /write the address as 10\.7\.0\.1%5\/24/],
      ['modify net route-domain 5 parent 5', /parent leads back to itself/],
      ['create net vlan-group g { members add { a b } }', /a member of VLAN group \(\/Common\/g\)/],
    ];
    for (const [command, expected] of cases) {
      assert.match((await tmsh.refusal(command)) ?? 'accepted', expected, command);
    }
  });

  it('keeps the same address and network apart from those of other domains', async () => {
    const tmsh = await session();
    assert.match(
      (await tmsh.refusal('create net self twin { address 10.1.0.1%5/24 vlan b }'))!,
      /the address 10\.1\.0\.1%5 belongs to self IP/,
    );
  });
});
