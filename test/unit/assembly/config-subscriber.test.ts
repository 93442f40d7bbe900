import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Configd } from '../../../src/assembly/configd/configd.ts';
import { ConfigSubscriber } from '../../../src/assembly/config-subscriber.ts';
import type { Log } from '../../../src/core/log.ts';
import { IpcClient } from '../../../src/ipc/ipc-client.ts';

const root = mkdtempSync(join(tmpdir(), 'subscriber-'));
after(() => rmSync(root, { recursive: true }));

/** A daemon that notes what it is told. */
class Recorder {
  readonly events: string[] = [];
  readonly lines: string[] = [];
  readonly log: Log;
  readonly subscriber: ConfigSubscriber;
  failing: string | undefined;
  #wake: () => void = () => undefined;

  constructor(state: string) {
    const note = (message: string) => void this.lines.push(message);
    this.log = { debug: note, info: note, warn: note, error: note };
    const directory = join(state, 'recorder');
    mkdirSync(directory, { recursive: true });
    const result = (event: string) => {
      this.events.push(event);
      this.#wake();
      return this.failing === undefined ? [] : [{ object: this.failing, reason: 'it cannot be' }];
    };
    this.subscriber = new ConfigSubscriber({
      daemon: 'recorder',
      socketPath: join(state, 'configd.sock'),
      directory,
      log: this.log,
      applier: {
        onSnapshot: (_generation, objects) =>
          result(`snapshot of ${objects.filter(({ type }) => type === 'net vlan').length} VLANs`),
        onDiff: (_generation, changes) =>
          result(
            changes
              .map(
                (change) =>
                  `${change.action} ${change.object.type} ${change.object.name}${change.action === 'modify' ? `: ${change.changed.join()}${change.rebuild ? ' (rebuild)' : ''}` : ''}`,
              )
              .join('; '),
          ),
      },
    });
  }

  /** Waits until so many events have come. */
  async count(events: number): Promise<void> {
    while (this.events.length < events) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

async function startConfigd(state: string): Promise<Configd> {
  const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const configd = new Configd({ state, version: '1', log: silent });
  await configd.start();
  return configd;
}

async function tmsh(state: string, ...commands: string[]): Promise<string> {
  const client = await IpcClient.connect(join(state, 'configd.sock'));
  let output = '';
  for (const command of commands) {
    for await (const { text } of client.stream('tmsh', { command })) output += text;
  }
  client.close();
  return output;
}

describe('a daemon that subscribes', () => {
  it('gets a snapshot, then diffs, and the same diffs of what changed while configd was away', async () => {
    const state = mkdtempSync(join(root, 's'));
    let configd = await startConfigd(state);
    await tmsh(
      state,
      'create net interface 1.1 device eth1',
      'create net vlan a { tag 5 interfaces add { 1.1 } }',
      'save sys config',
    );
    const daemon = new Recorder(state);
    await daemon.subscriber.start();
    assert.deepEqual(daemon.events, ['snapshot of 1 VLANs']);

    await tmsh(state, 'create net vlan b tag 6');
    await daemon.count(2);
    assert.equal(daemon.events[1], 'create net vlan /Common/b; create net fdb vlan /Common/b');
    await tmsh(state, 'modify net vlan b mtu 1400 description x');
    await daemon.count(3);
    assert.equal(daemon.events[2], 'modify net vlan /Common/b: mtu,description');
    await tmsh(state, 'modify net interface 1.1 device eth7');
    await daemon.count(4);
    assert.equal(daemon.events[3], 'modify net interface 1.1: device (rebuild)');

    await configd.stop();
    configd = await startConfigd(state);
    await daemon.count(5);
    assert.equal(
      daemon.events[4],
      'delete net fdb vlan /Common/b; delete net vlan /Common/b; modify net interface 1.1: device (rebuild)',
    );
    await daemon.subscriber.stop();
    await configd.stop();
  });

  it('reports what it could not apply, and the commit stands', async () => {
    const state = mkdtempSync(join(root, 's'));
    const configd = await startConfigd(state);
    const daemon = new Recorder(state);
    daemon.failing = 'net vlan /Common/a';
    await daemon.subscriber.start();
    await tmsh(state, 'create net vlan a tag 5');
    await daemon.count(2);
    let status = '';
    for (let attempt = 0; attempt < 500 && !status.includes('in sync'); attempt++)
      status = await tmsh(state, 'show sys config status');
    assert.match(status, /State\s+in sync[^]*Failed objects\s+1[^]*net vlan \/Common\/a {2}it cannot be/);
    assert.match(await tmsh(state, 'list net vlan a'), /tag 5/);
    await daemon.subscriber.stop();
    assert.match(await tmsh(state, 'show sys config status'), /State\s+disconnected/);
    await configd.stop();
  });

  it('starts from its own snapshot when configd is dead, and catches up when it is back', async () => {
    const state = mkdtempSync(join(root, 's'));
    let configd = await startConfigd(state);
    await tmsh(state, 'create net vlan a tag 5');
    const first = new Recorder(state);
    await first.subscriber.start();
    await first.subscriber.stop();
    await configd.stop();
    const file = join(state, 'recorder', 'config.snapshot');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'utf8'), /^\{"v":2,/);

    const second = new Recorder(state);
    await second.subscriber.start();
    assert.deepEqual(second.events, ['snapshot of 1 VLANs']);
    assert.match(second.lines.join('\n'), /cannot reach configd[^]*starting from the last applied configuration/);
    configd = await startConfigd(state);
    await second.count(2);
    assert.equal(second.events[1], 'delete net fdb vlan /Common/a; delete net vlan /Common/a');
    await second.subscriber.stop();
    await configd.stop();
  });

  it('says so when its snapshot cannot be used, and waits for configd', async () => {
    const state = mkdtempSync(join(root, 's'));
    mkdirSync(join(state, 'recorder'));
    writeFileSync(
      join(state, 'recorder', 'config.snapshot'),
      '{"v":2,"generation":{"epoch":1,"number":1},"objects":3}\n',
    );
    const daemon = new Recorder(state);
    const started = daemon.subscriber.start();
    while (
      !daemon.lines.some((line) => line.includes('is no snapshot that can be used: 0 objects where 3 were announced'))
    ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const configd = await startConfigd(state);
    await started;
    assert.deepEqual(daemon.events, ['snapshot of 0 VLANs']);
    await daemon.subscriber.stop();
    await configd.stop();
  });

  it('receives objects larger than a message', async () => {
    const state = mkdtempSync(join(root, 's'));
    const configd = await startConfigd(state);
    const daemon = new Recorder(state);
    await daemon.subscriber.start();
    await tmsh(state, 'create net tunnels tunnel t { local-address 10.0.0.1 profile vxlan-multipoint }');
    const mac = (index: number) =>
      `02:00:${[24, 16, 8, 0].map((shift) => ((index >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
    const file = join(state, 'big.conf');
    const records = Array.from(
      { length: 100_000 },
      (_, index) => `        ${mac(index)} {\n            endpoint 10.0.0.2\n        }\n`,
    );
    writeFileSync(file, `net fdb tunnel t {\n    records {\n${records.join('')}    }\n}\n`);
    await tmsh(state, `load sys config file ${file} merge`);
    await daemon.count(3);
    assert.equal(daemon.events[2], 'modify net fdb tunnel /Common/t: records');
    const snapshot = readFileSync(join(state, 'recorder', 'config.snapshot'), 'utf8');
    assert.ok(snapshot.length > 1 << 20 || (await settle(state)) > 1 << 20);
    await daemon.subscriber.stop();
    await configd.stop();
  });
});

/** The snapshot is written after the diff was applied. */
async function settle(state: string): Promise<number> {
  const file = join(state, 'recorder', 'config.snapshot');
  for (let attempt = 0; attempt < 100 && statSync(file).size <= 1 << 20; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return statSync(file).size;
}
