// time-out: 200 s
// `wideplane gtm-add` over a real OpenSSH server: a newcomer takes the configuration of a group, once; what is missing is said before
// anything is changed.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect, Namespace } from './harness/namespace.ts';
import type { Outcome } from './harness/program.ts';
import { makeSshClient, type SshClient, SshDevice } from './harness/ssh-device.ts';
import { waitFor } from './harness/wait.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { ALL_DAEMONS, Wideplane } from './harness/wideplane.ts';

const [MEMBER, NEWCOMER] = ['192.0.2.1', '192.0.2.2'];
const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));

const GROUP = `
gtm global-settings general { heartbeat-interval 1 synchronization yes synchronization-group-name lab }
gtm datacenter dc { }
gtm server first { datacenter dc devices { first { addresses { ${MEMBER} { } } } } }
gtm server web {
    datacenter dc product generic-host
    devices { web { addresses { 203.0.113.1 { } } } }
    virtual-servers { one { destination 203.0.113.80:80 } }
}
gtm pool a shop { members { web:one { } } }
gtm wideip a shop.example.com { pools { shop { } } }
`;
const OWN = `
gtm listener here { address ${NEWCOMER} }
gtm datacenter mine { }
gtm server old {
    datacenter mine product generic-host
    devices { old { addresses { 203.0.113.2 { } } } }
    virtual-servers { one { destination 203.0.113.90:80 } }
}
gtm pool a old { members { old:one { } } }
gtm wideip a old.example.com { pools { old { } } }
`;

let spaces: Namespace[];
let member: Wideplane;
let newcomer: Wideplane;
let client: SshClient;
let device: SshDevice;

before(async () => {
  spaces = [await Namespace.create('member'), await Namespace.create('newcomer')];
  await connect([spaces[0]!, 'e0'], [spaces[1]!, 'e0']);
  await spaces[0]!.addAddress('e0', `${MEMBER}/24`);
  await spaces[1]!.addAddress('e0', `${NEWCOMER}/24`);
  client = await makeSshClient();
  member = await Wideplane.start(spaces[0]!, GROUP, { daemons: ALL_DAEMONS });
  newcomer = await Wideplane.start(spaces[1]!, OWN, { daemons: ALL_DAEMONS });
  device = await SshDevice.start(spaces[0]!, client, { isDevice: false, visible: [CHECKOUT, member.state] });
  const program = join(device.programs, 'wideplane');
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${EXECUTABLE} "$@"\n`, { mode: 0o755 });
  for (const wideplane of [member, newcomer]) {
    await waitFor('iqueryd answers', 10, () => wideplane.log.includes('iqueryd ready'));
  }
});

after(async () => {
  await device.stop();
  for (const wideplane of [member, newcomer]) assert.equal(await wideplane.stop(), 0, wideplane.log);
});

describe('gtm-add', () => {
  const add = (options: readonly string[], input = ''): Promise<Outcome> =>
    spaces[1]!.attempt(
      newcomer.command('gtm-add', MEMBER, '--ssh-config', client.config, '--remote-state', member.state, ...options),
      { input, seconds: 60 },
    );
  const dig = async (name: string): Promise<string> =>
    (await spaces[1]!.attempt(['dig', '+short', '+time=2', '+tries=1', `@${NEWCOMER}`, name])).stdout.trim();
  const kept = (): string[] => readdirSync(newcomer.state).filter((name) => name.startsWith('before-gtm-add'));

  it('says what to type when the group does not know the newcomer, and changes nothing', async () => {
    const before = await newcomer.tmsh('list gtm');
    const { status, stderr } = await add(['--yes']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /this machine is no gtm server of 192\.0\.2\.1 yet\. Type there:\n {2}create gtm server NAME .*192\.0\.2\.2/,
    );
    assert.equal(await newcomer.tmsh('list gtm'), before);
    await member.tmsh(
      `create gtm server second { datacenter dc devices add { second { addresses add { ${NEWCOMER} } } } product bigip }`,
    );
  });

  it('asks, and takes no for an answer', async () => {
    const { status, stdout } = await add([], 'n\n');
    assert.equal(status, 1);
    assert.match(
      stdout,
      /WARNING: the configuration of wide IPs[\s\S]*Are you absolutely sure you want to do this\? \[y\/n\]/,
    );
    assert.match(stdout, /Nothing was changed/);
    assert.deepEqual(kept(), []);
    assert.equal(await dig('old.example.com'), '203.0.113.90');
  });

  it('takes the configuration of the group, and keeps what was before', async () => {
    const started = performance.now();
    const { status, stdout, stderr } = await add([], 'y\n');
    assert.equal(status, 0, stdout + stderr + newcomer.log);
    console.log(`joined after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    const steps = [
      'Exchanging certificates',
      'Saving the running configuration as',
      'Verifying iQuery connection to 192.0.2.1. This may take up to 30 seconds',
      'Retrieving remote GTM configuration...',
      'Done <==',
    ];
    const places = steps.map((step) => stdout.indexOf(step));
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
    );
    assert.ok(
      places.every((place) => place >= 0),
      stdout,
    );
    await waitFor('the answer of the group', 10, async () => (await dig('shop.example.com')) === '203.0.113.80');
    assert.equal(await dig('old.example.com'), '');
    assert.match(await newcomer.tmsh('show cm sync-status'), /In Sync/);
    assert.doesNotMatch(await newcomer.tmsh('list gtm'), /bootstrap/);
    assert.doesNotMatch(await member.tmsh('list gtm'), /bootstrap|old\.example\.com/);
    const [file] = kept();
    assert.ok(file !== undefined && existsSync(join(newcomer.state, file)));
    assert.match(readFileSync(join(newcomer.state, file), 'utf8'), /old\.example\.com/);
  });

  it('changes nothing the second time', async () => {
    const before = await newcomer.tmsh('list gtm');
    const { status, stdout, stderr } = await add([]);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /This machine is a member of lab already/);
    assert.equal(await newcomer.tmsh('list gtm'), before);
    assert.equal(kept().length, 1);
  });

  it('has what is typed at one answered at the other from then on', async () => {
    await newcomer.tmsh('create gtm wideip a more.example.com { pools add { shop { } } }');
    await waitFor('it is there', 10, async () => (await member.tmsh('list gtm wideip a')).includes('more.example.com'));
  });
});

describe('without hosts, those of the configuration are meant', () => {
  const remote = (): string[] => ['--ssh-config', client.config, '--remote-state', member.state];
  const connected = async (side: Wideplane): Promise<boolean> => {
    const states = (await side.tmsh('show gtm iquery')).match(/^ *State +.*$/gm) ?? [];
    return states.length === 2 && states.every((line) => line.endsWith(' connected'));
  };

  it('bigip-add finds nothing to do in a mesh that stands', async () => {
    const { status, stdout, stderr } = await spaces[1]!.attempt(newcomer.command('bigip-add', ...remote()));
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, new RegExp(`\\[1/1\\] ${MEMBER}`));
    assert.match(stdout, /: wideplane \d+\.\d+\.\d+\n/);
    assert.match(stdout, /server\.crt already[\s\S]*==> Done <==/);
    assert.doesNotMatch(stdout, /added/);
  });

  it('trust rotate has the member trust the new certificate, and the mesh stands with it', async () => {
    await waitFor('both are connected', 20, () => connected(newcomer));
    const rotated = await spaces[1]!.attempt(newcomer.command('trust', 'rotate', ...remote()));
    assert.equal(rotated.status, 0, rotated.stdout + rotated.stderr);
    assert.match(rotated.stdout, new RegExp(`\\[1/1\\] ${MEMBER}: trusts it\\nThis machine now shows`));
    const old = /wideplane (trust remove [0-9a-f]+)/.exec(rotated.stdout)![1]!.split(' ');
    for (const [side, space] of [newcomer, member].map((each, index) => [each, spaces[1 - index]!] as const)) {
      const removed = await space.attempt(side.command(...old));
      assert.equal(removed.status, 0, removed.stderr);
    }
    // Who was connected with the old one is cut off now, and dials anew with what both trust.
    await waitFor('both are connected again', 30, async () => (await connected(newcomer)) && (await connected(member)));
    await newcomer.tmsh('create gtm wideip a rotated.example.com { pools add { shop { } } }');
    await waitFor('it is there', 10, async () => (await member.tmsh('list gtm wideip a')).includes('rotated.example'));
  });
});
