// Several front-ends at once: each sees whole changes of the others, and none can hold up another.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { ConfigSubscriber } from '../../src/assembly/config-subscriber.ts';
import { applyChanges, mapObjects } from '../../src/config/change.ts';
import type { ObjectMap } from '../../src/config/change.ts';
import type { Log } from '../../src/core/log.ts';
import { encodeMessage } from '../../src/ipc/framing.ts';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { SCHEMA_VERSION } from '../../src/ipc/schema.ts';
import { ConfigdProcess, ask, killRunning, tmsh } from '../support/configd-process.ts';

const VLANS = 30;
const ROUNDS = 40;

const root = mkdtempSync(join(tmpdir(), 'config-clients-'));
afterEach(killRunning);
after(() => rmSync(root, { recursive: true }));

const nothing = () => undefined;
const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A file with VLANs of one owner only: their number, tags and descriptions say whose it is. */
const fileOf = (owner: string, round: number, count: number) =>
  Array.from(
    { length: count },
    (_, index) => `net vlan v${index} {\n    description ${owner}${round}\n    tag ${index + 1}\n}\n`,
  ).join('');

/** What owners and rounds the VLANs name, and how many there are. */
const stateOf = (descriptions: readonly string[]) => `${[...new Set(descriptions)].join('+')}: ${descriptions.length}`;

describe('clients at the same time', { timeout: 120_000 }, () => {
  it('never see half a change, nor does a daemon', async () => {
    const directory = mkdtempSync(join(root, 'd'));
    const state = join(directory, 'state');
    const daemon = await new ConfigdProcess(state).ready();
    const path = join(state, 'configd.sock');
    // Each writes files and patterns; the others may only ever see one owner, one round, and that owner's number of VLANs.
    const counts = { a: VLANS, b: VLANS / 2 };
    const allowed = new Set<string>();
    const client = async (owner: 'a' | 'b') => {
      const connection = await IpcClient.connect(path);
      for (let round = 0; round < ROUNDS; round++) {
        const file = join(directory, `${owner}.conf`);
        writeFileSync(file, fileOf(owner, round, counts[owner]));
        allowed.add(`${owner}${round}: ${VLANS}`).add(`${owner}${round}: ${VLANS / 2}`);
        await ask(connection, `load sys config file ${file}`);
        allowed.add(`${owner}m${round}: ${VLANS}`).add(`${owner}m${round}: ${VLANS / 2}`);
        await ask(connection, `modify net vlan v* description ${owner}m${round}`);
        if (round % 4 === 0) await ask(connection, 'save sys config');
      }
      connection.close();
    };
    const seen = new Set<string>();
    const own = join(directory, 'recorder');
    mkdirSync(own);
    let objects: ObjectMap = new Map();
    const note = (next: ObjectMap) => {
      objects = next;
      const vlans = [...objects.values()].filter(({ type }) => type === 'net vlan');
      if (vlans.length > 0) seen.add(stateOf(vlans.map(({ properties }) => properties.description as string)));
      return [];
    };
    const subscriber = new ConfigSubscriber({
      daemon: 'recorder',
      socketPath: path,
      directory: own,
      log: silent,
      applier: {
        onSnapshot: (_generation, all) => note(mapObjects(all)),
        onDiff: (_generation, changes) => note(applyChanges(objects, changes)),
      },
    });
    await subscriber.start();
    const watcher = await IpcClient.connect(path);
    let isDone = false;
    const watch = async () => {
      while (!isDone) {
        const text = await ask(watcher, 'list net vlan');
        const descriptions = [...text.matchAll(/description (\S+)/g)].map(([, word]) => word!);
        if (descriptions.length > 0) seen.add(stateOf(descriptions));
      }
    };
    const watching = watch();
    await Promise.all([client('a'), client('b')]);
    isDone = true;
    await watching;
    const final = stateOf(
      [...(await ask(watcher, 'list net vlan')).matchAll(/description (\S+)/g)].map(([, word]) => word!),
    );
    while (!seen.has(final)) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(seen.size > ROUNDS, `only ${seen.size} states were seen`);
    assert.deepEqual(
      [...seen].filter((each) => !allowed.has(each)),
      [],
    );
    // What runs, what a daemon has, and what was saved last are whole as well.
    await ask(watcher, 'save sys config');
    watcher.close();
    await subscriber.stop();
    await daemon.stop('SIGTERM');
    const again = await new ConfigdProcess(state).ready();
    const text = tmsh(state, ['-c', 'list net vlan']).stdout;
    assert.equal(stateOf([...text.matchAll(/description (\S+)/g)].map(([, word]) => word!)), final);
    await again.stop('SIGTERM');
  });

  it('are not held up by one that reads nothing of what its change says', async () => {
    const directory = mkdtempSync(join(root, 'd'));
    const state = join(directory, 'state');
    const daemon = await new ConfigdProcess(state).ready();
    const file = join(directory, 'warned-of.conf');
    writeFileSync(
      file,
      Array.from(
        { length: 3000 },
        (_, index) => `net vlan v${index}-${'x'.repeat(200)} { tag ${1000 + index} failsafe enabled }\n`,
      ).join(''),
    );
    const socket = connect(join(state, 'configd.sock'));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.pause();
    const params = { command: `load sys config file ${file}` };
    socket.write(encodeMessage({ v: SCHEMA_VERSION, kind: 'request', id: 1, method: 'tmsh', params }));
    await daemon.says(/status=\[Command OK\] cmd_data=load sys config file/);
    assert.equal(tmsh(state, ['-c', 'create net vlan a tag 5']).status, 0);
    let octets = 0;
    socket.on('data', (piece: Buffer) => (octets += piece.length));
    socket.resume();
    while (octets < 600_000) await new Promise((resolve) => setTimeout(resolve, 10));
    socket.destroy();
    await daemon.stop('SIGTERM');
  });
});
