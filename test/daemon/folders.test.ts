// Partitions and folders against a running configd: files of devices and of earlier versions, and the shell's folders.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ConfigdProcess, killRunning, tmsh } from '../support/configd-process.ts';

let state: string;
const file = (name: string): string => join(state, name);

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'folders-'));
});
afterEach(() => {
  killRunning();
  rmSync(state, { recursive: true });
});

/** As a version without partitions has saved it. */
const SAVED = `#TMSH-VERSION: 0.1.0
#WIDEPLANE-FORMAT: 1

net vlan /Common/app/inside {
    tag 7
}
net vlan /Other/guest {
    tag 12
}
`;

describe('partitions and folders of a running configd', { timeout: 60_000 }, () => {
  it('are made for a configuration that was saved before there were any, which starts and says so', async () => {
    writeFileSync(file('saved.conf'), SAVED);
    const first = await new ConfigdProcess(state, file('saved.conf')).ready();
    await first.says(/saved\.conf:4:1: The requested folder \(\/Common\/app\) was not found, and is made/);
    await first.says(/saved\.conf:7:1: The requested folder \(\/Other\) was not found, and is made/);
    assert.equal(tmsh(state, ['-c', 'list net vlan /Other/guest tag']).status, 0);
    // What ran when it was killed starts as well, and without a warning once it has been saved.
    await first.stop('SIGKILL');
    const second = await new ConfigdProcess(state, file('saved.conf')).ready();
    await second.says(/goes on with what ran then/);
    assert.equal(tmsh(state, ['-c', 'cd /Other; list net vlan one-line', '-c', 'save sys config']).status, 0);
    await second.stop('SIGTERM');
    assert.match(
      readFileSync(file('saved.conf'), 'utf8'),
      /\n\nauth partition Other \{ \}\nsys folder \/Common\/app \{ \}\nnet vlan \/Common\/app\/inside/,
    );
    const third = await new ConfigdProcess(state, file('saved.conf')).ready();
    assert.doesNotMatch(third.log, /and is made/);
  });

  it('stand in bigip_base.conf: bigip.conf follows it by merge, and alone is refused with what is missing', async () => {
    await new ConfigdProcess(state).ready();
    const base =
      'auth partition tenant { default-route-domain 7 }\nnet vlan /tenant/v { tag 70 }\n' +
      'net route-domain /tenant/7 { id 7 vlans { /tenant/v } }\nnet self /tenant/s { address 10.7.1.1/24 vlan /tenant/v }\n';
    writeFileSync(file('bigip_base.conf'), base);
    writeFileSync(file('bigip.conf'), 'net route /tenant/default { gw 10.7.1.9 }\n');
    const load = (what: string) => tmsh(state, ['-c', `load sys config file ${what}`]);
    const alone = load(`${file('bigip.conf')} merge`);
    assert.equal(alone.status, 1);
    assert.match(
      alone.stderr + alone.stdout,
      /bigip\.conf:1:1: 01020036:3: The requested folder \(\/tenant\) was not found\.[^]*create auth partition tenant/,
    );
    assert.equal(load(file('bigip_base.conf')).status, 0);
    assert.equal(load(`${file('bigip.conf')} merge`).status, 0);
    const listed = tmsh(state, ['-c', 'cd /tenant', '-c', 'list net route default one-line']);
    assert.equal(listed.stdout, 'net route default { gw 10.7.1.9%7 network default%7 }\n');
    const refused = tmsh(state, ['-c', 'delete auth partition tenant']);
    assert.match(refused.stderr, /0107082a:3: All objects must be removed from a partition \(tenant\)/);
  });

  it('are made by a command, entered, filled, emptied and deleted', async () => {
    await new ConfigdProcess(state).ready();
    const commands = [
      'create auth partition test',
      'cd /test; create sys folder app; cd app; pwd',
      'create net vlan wan tag 5',
      'cd /; list net vlan recursive one-line',
      'delete net vlan /test/app/wan',
      'delete sys folder /test/app; delete auth partition test',
    ];
    const done = tmsh(state, [], `${commands.join('\n')}\n`);
    assert.deepEqual([done.status, done.stdout, done.stderr], [0, '/test/app\nnet vlan /test/app/wan { tag 5 }\n', '']);
    const late = tmsh(state, ['-c', 'cd /test']);
    assert.equal(late.status, 1);
    assert.match(late.stderr, /01020036:3: The requested folder \(\/test\) was not found\./);
  });
});
