// `wideplane up` with the real daemons, in a namespace of the kernel:
//
//   host: eth1 ── veth ── peer      eth2 ── veth ── peer2, with the default route

import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseCapabilities } from '../../src/supervise/capability.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { eventually, makeState, removeState, run, RunningUp, type StartOptions } from './supervise/running-up.ts';

const HOST = `wideplane-up-${process.pid}`;
const CONFIG = `
net interface 1.1 {
    device eth1
}
net interface 1.2 {
    device eth2
}
net vlan lab {
    interfaces {
        1.1 { }
    }
}
`;

const ip = (words: string): string => run('ip', '-n', HOST, ...words.split(' '));
const nft = (): string => run('ip', 'netns', 'exec', HOST, 'nft', 'list', 'ruleset');
const capabilities = (pid: number): string =>
  parseCapabilities(readFileSync(`/proc/${pid}/status`, 'utf8')).effective.toString(16);

/** Seconds of a core that a process has used: utime and stime of proc(5), in hundredths, counted after the name in brackets. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

before(() => {
  run('ip', 'netns', 'add', HOST);
  ip('link set lo up');
  for (const [device, peer] of [
    ['eth1', 'peer'],
    ['eth2', 'peer2'],
  ] as const) {
    ip(`link add ${device} type veth peer name ${peer}`);
    ip(`link set ${device} up`);
    ip(`link set ${peer} up`);
  }
  ip('address add 192.0.2.1/24 dev eth1');
  ip('address add 198.51.100.1/24 dev eth2');
  ip('route add default via 198.51.100.9');
});
after(() => run('ip', 'netns', 'delete', HOST));

async function withDaemons(
  config: string,
  body: (up: RunningUp, state: string) => Promise<void>,
  options: StartOptions = {},
): Promise<void> {
  const state = makeState();
  const file = `${state}.conf`;
  writeFileSync(file, config);
  const up = new RunningUp(state, { namespace: HOST, config: file, ...options });
  try {
    await body(up, state);
  } finally {
    up.signal('SIGTERM');
    await up.exit();
    removeState(state);
    removeState(file);
  }
}

const tmsh = (state: string, command: string): string =>
  run(process.execPath, EXECUTABLE, 'tmsh', '--state', state, '-c', command);

test('the daemons work with the capabilities of the table, and a refused device does not stop the others', async () => {
  await withDaemons(CONFIG, async (up, state) => {
    await up.ready();
    assert.equal(capabilities(await up.daemon('configd')), '0');
    assert.equal(capabilities(await up.daemon('dataplaned')), '8000007000');
    await up.said(/^net interface 1\.2: property device, value eth2: carries the IPv4 default route/);
    assert.match(ip('address show dev eth2'), /198\.51\.100\.1/);
    assert.doesNotMatch(ip('address show dev eth1'), /inet /);
    assert.match(nft(), /wideplane_eth1_\d+/);

    // An interface that is deleted gives its device back at once.
    tmsh(state, 'delete net vlan lab');
    tmsh(state, 'delete net interface 1.1');
    await up.said(/^device given back/);
    assert.match(ip('address show dev eth1'), /192\.0\.2\.1/);
    assert.equal(nft(), '');
  });
});

test('the worker sleeps when nothing comes, also after an interface that came before others is gone', async () => {
  await withDaemons(
    CONFIG,
    async (up, state) => {
      await up.said(/^dataplaned ready/);
      tmsh(state, 'delete net vlan lab');
      tmsh(state, 'delete net interface 1.1');
      await up.said(/^device given back/);
      const pid = await up.daemon('dataplaned');
      const before = processorSeconds(pid);
      await new Promise((resolve) => setTimeout(resolve, 4000));
      const used = processorSeconds(pid) - before;
      console.log(`dataplaned used ${used.toFixed(2)} s of a core in 4 s without a frame`);
      assert.ok(used < 2, `${used} s`);
    },
    { force: true, only: ['dataplaned'] },
  );
});

test('kill -9 of each daemon leaves the other, the device and the configuration', async () => {
  await withDaemons(CONFIG, async (up, state) => {
    await up.ready();
    const listed = tmsh(state, 'list net');
    for (const [killed, other] of [
      ['dataplaned', 'configd'],
      ['configd', 'dataplaned'],
    ] as const) {
      const old = await up.daemon(killed);
      const untouched = await up.daemon(other);
      process.kill(old, 'SIGKILL');
      await eventually(`another ${killed}`, async () => (await up.daemon(killed)) !== old);
      assert.equal(await up.daemon(other), untouched);
      assert.match(nft(), /wideplane_eth1_\d+/);
    }
    assert.equal(tmsh(state, 'list net'), listed);
  });
});

test('up --only starts what is named and configd, and says of the others that they are not there', async () => {
  await withDaemons(
    CONFIG,
    async (up, state) => {
      await up.said(/^dnsd ready/);
      const { daemons } = await up.processes();
      assert.deepEqual(daemons.map(({ name }) => name).sort(), ['configd', 'dnsd']);
      assert.doesNotMatch(tmsh(state, 'show sys service'), /dataplaned/);
      // What is for them is kept, and who asks them is told.
      assert.match(tmsh(state, 'list net interface 1.1'), /device eth1/);
      assert.throws(() => tmsh(state, 'show net interface'), /dataplaned/);
    },
    { only: ['dnsd'] },
  );
});

test('kill -9 of up leaves no process, no rule and no device change', async () => {
  await withDaemons(CONFIG, async (up) => {
    await up.ready();
    await up.said(/^device taken over/);
    await up.killAndVanish();
    await eventually('eth1 given back', () => nft() === '' && ip('address show dev eth1').includes('192.0.2.1'));
  });
});

test('a configuration with an error ends the start with status 1 and the error', async () => {
  await withDaemons('net vlan a { tag 9999 }\n', async (up) => {
    assert.equal(await up.exit(), 1);
    assert.ok(up.log.some(({ daemon, msg }) => daemon === 'configd' && /tag must be .*"9999"/.test(msg)));
    assert.ok(!up.log.some(({ msg }) => msg === 'dataplaned started'));
  });
});

test('a configuration that is not there, or that configd may not read, is refused before anything starts', async () => {
  const state = makeState();
  try {
    const absent = new RunningUp(state, { config: `${state}/absent.conf` });
    assert.equal(await absent.exit(), 1);
    assert.match(absent.log.at(-1)!.msg, /absent\.conf: there is no such file/);
    const hidden = `${state}/hidden.conf`;
    writeFileSync(hidden, '');
    chmodSync(hidden, 0);
    const refused = new RunningUp(state, { config: hidden });
    assert.equal(await refused.exit(), 1);
    assert.match(
      refused.log.at(-1)!.msg,
      /hidden\.conf: configd, which runs as root without capabilities, cannot read/,
    );
  } finally {
    removeState(state);
  }
});

test('the default wideplane.conf loads, as it is and with its example', async () => {
  const file = fileURLToPath(new URL('../../../scripts/wideplane.conf', import.meta.url));
  const text = readFileSync(file, 'utf8');
  const example = text
    .split('\n')
    .filter((line) => /^# (net |}|    )/.test(line) && !line.includes('`'))
    .map((line) => line.slice(2))
    .join('\n');
  assert.match(example, /net tunnels tunnel vx1/);
  for (const config of [text, example]) {
    await withDaemons(config, async (up, state) => {
      await up.ready();
      assert.ok(!up.log.some(({ msg }) => /Syntax|without effect/.test(msg)));
      assert.equal(tmsh(state, 'list net tunnels tunnel').includes('vx1'), config === example);
    });
  }
});
