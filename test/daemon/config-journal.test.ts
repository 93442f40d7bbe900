// `kill -9` of configd and of a daemon with a large configuration, whose changes are kept as records of a journal.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { ConfigSubscriber } from '../../src/assembly/config-subscriber.ts';
import { objectKey } from '../../src/config/change.ts';
import type { ConfigObject } from '../../src/config/object-types.ts';
import type { Log } from '../../src/core/log.ts';
import { ConfigdProcess, killRunning, tmsh } from '../support/configd-process.ts';
import { largeConfiguration, tunnelName } from '../support/large-configuration.ts';

const root = mkdtempSync(join(tmpdir(), 'config-journal-'));
afterEach(killRunning);
after(() => rmSync(root, { recursive: true }));

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const has = (file: string, text: string): boolean => {
  try {
    return readFileSync(file, 'utf8').includes(text);
  } catch {
    return false;
  }
};

/** A large configuration, with something that no version knows, comments among it. */
function place(): { state: string; config: string } {
  const directory = mkdtempSync(join(root, 'd'));
  const config = join(directory, 'wideplane.conf');
  const unknown =
    '# a remark\nltm nat v { destination 10.0.0.1:80 }\nnet vlan odd {\n    sflow { poll-interval 7 }\n    tag 99\n}\n';
  writeFileSync(config, `${largeConfiguration({ tunnels: 200, stations: 4000, withUnderlay: true })}${unknown}`);
  return { state: join(directory, 'state'), config };
}

const CHANGES = [
  'create net tunnels tunnel added { key 70000 local-address 10.9.1.1 profile vxlan-multipoint remote-address 10.9.1.2 }',
  `modify net fdb tunnel ${tunnelName(7)} records add { 02:cc:00:00:00:01 { endpoint 10.9.9.9 } }`,
  'modify net tunnels tunnel added description "more words { and a brace"',
  `modify net vlan-group bridge1 members delete { ${tunnelName(3)} }`,
  `delete net tunnels tunnel ${tunnelName(3)}`,
  'modify net vlan odd description changed',
  'create net vlan last { tag 77 }',
];

describe('changes of a large configuration', { timeout: 120_000 }, () => {
  it('survive kill -9 of configd, each of them, without the file being written again', async () => {
    const { state, config } = place();
    let daemon = await new ConfigdProcess(state, config).ready();
    const running = join(state, 'configd', 'running.conf');
    await until(() => has(running, 'net vlan /Common/odd'));
    const { ino } = statSync(running);
    for (const [index, command] of CHANGES.entries()) {
      assert.equal(tmsh(state, ['-c', command]).status, 0, command);
      const list = tmsh(state, ['-c', 'list']).stdout;
      if (index === 0) await until(() => has(`${running}.journal`, 'added'));
      // Some changes of an order find the writer still at the one before.
      await new Promise((resolve) => setTimeout(resolve, 300));
      if (index < CHANGES.length - 1 && index % 3 !== 1) continue;
      if (index < 3) assert.equal(statSync(running).ino, ino, 'the file was written again');
      await daemon.stop('SIGKILL');
      daemon = await new ConfigdProcess(state, config).ready();
      assert.match(daemon.log, /configd did not end in order: it goes on with what ran then/);
      assert.equal(tmsh(state, ['-c', 'list']).stdout, list, command);
      assert.match(list, /sflow \{ poll-interval 7 \}/);
    }
    const before = tmsh(state, ['-c', 'list']).stdout;
    assert.equal(tmsh(state, ['-c', 'save sys config']).status, 0);
    await daemon.stop('SIGTERM');
    daemon = await new ConfigdProcess(state, config).ready();
    assert.equal(tmsh(state, ['-c', 'list']).stdout, before);
    await daemon.stop('SIGTERM');
  });

  it('are kept by a daemon, which starts with them while configd is dead', async () => {
    const { state, config } = place();
    const configd = await new ConfigdProcess(state, config).ready();
    const seen: ConfigObject[][] = [];
    const subscriber = (name: string) => {
      const directory = join(state, name);
      mkdirSync(directory, { recursive: true });
      return new ConfigSubscriber({
        daemon: name,
        socketPath: join(state, 'configd.sock'),
        directory,
        log: quiet,
        applier: {
          onSnapshot: (_generation, objects) => {
            seen.push(objects.toSorted((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1)));
            return [];
          },
          onDiff: () => [],
        },
      });
    };
    const recorder = subscriber('recorder');
    await recorder.start();
    for (const command of CHANGES) assert.equal(tmsh(state, ['-c', command]).status, 0);
    await until(() => has(join(state, 'recorder', 'config.snapshot.journal'), '/Common/last'));
    assert.equal(has(join(state, 'recorder', 'config.snapshot'), '/Common/last'), false);
    const { generation } = recorder;
    await recorder.stop();
    const other = subscriber('other');
    await other.start();
    await other.stop();
    await configd.stop('SIGKILL');
    const alone = subscriber('recorder');
    await alone.start();
    await alone.stop();
    assert.deepEqual(alone.generation, generation);
    assert.equal(seen.length, 3);
    assert.deepEqual(seen[2], seen[1]);
  });
});
