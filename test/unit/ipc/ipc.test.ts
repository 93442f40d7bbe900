import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { Log } from '../../../src/core/log.ts';
import { FramingError, MessageDecoder, encodeMessage } from '../../../src/ipc/framing.ts';
import { IpcClient } from '../../../src/ipc/ipc-client.ts';
import { IpcError } from '../../../src/ipc/ipc-error.ts';
import { IpcServer } from '../../../src/ipc/ipc-server.ts';
import type { Handlers } from '../../../src/ipc/ipc-server.ts';
import { MAX_MESSAGE_OCTETS, SCHEMA_VERSION } from '../../../src/ipc/schema.ts';
import type { Message } from '../../../src/ipc/schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'ipc-'));
after(() => rmSync(directory, { recursive: true }));

const lines: string[] = [];
const note = (message: string) => void lines.push(message);
const log: Log = { debug: note, info: note, warn: note, error: note };

let server: IpcServer | undefined;
const clients: IpcClient[] = [];
let sockets = 0;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server?.close();
  server = undefined;
});

async function serve(handlers: Handlers): Promise<string> {
  const path = join(directory, `s${++sockets}.sock`);
  server = new IpcServer(path, handlers, log);
  await server.listen();
  return path;
}

async function client(path: string): Promise<IpcClient> {
  const made = await IpcClient.connect(path);
  clients.push(made);
  return made;
}

const failsWith = (code: string, text: RegExp) => (error: unknown) =>
  error instanceof IpcError && error.code === code && text.test(error.message);

describe('messages on a stream', () => {
  const message = (text: string): Message => ({ v: SCHEMA_VERSION, kind: 'result', id: 1, result: { text } });

  it('survive any cutting', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 6 }), fc.array(fc.nat(40)), (texts, cuts) => {
        const stream = Buffer.concat(texts.map((text) => encodeMessage(message(text))));
        const decoder = new MessageDecoder();
        const got: Message[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          if (cut > 0 && at < stream.length) got.push(...decoder.push(stream.subarray(at, at + cut)));
          at += cut;
        }
        assert.deepEqual(got, texts.map(message));
      }),
    );
  });

  it('are refused when they are too long, no JSON, or of another version', () => {
    assert.throws(() => encodeMessage(message('x'.repeat(MAX_MESSAGE_OCTETS))), FramingError);
    const framed = (body: string) => {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(Buffer.byteLength(body));
      return Buffer.concat([head, Buffer.from(body)]);
    };
    const refused = (octets: Buffer) => assert.throws(() => new MessageDecoder().push(octets), FramingError);
    refused(Buffer.from([0, 0x10, 0, 1]));
    refused(framed('{'));
    refused(framed('null'));
    refused(framed(`{"v":${SCHEMA_VERSION + 1},"kind":"end","id":1}`));
    refused(framed(`{"v":${SCHEMA_VERSION},"kind":"nonsense","id":1}`));
    refused(framed(`{"v":${SCHEMA_VERSION},"kind":"end","id":-1}`));
  });
});

describe('requests', () => {
  it('are answered, many at once', async () => {
    const path = await serve({
      'reset-stats': async ({ names }) => {
        await delay(5 - (names?.length ?? 0));
        return { objects: names?.length ?? 0 };
      },
    });
    const asker = await client(path);
    const replies = await Promise.all(
      [4, 1, 3].map((count) => asker.request('reset-stats', { type: 't', names: new Array<string>(count).fill('n') })),
    );
    assert.deepEqual(
      replies.map((reply) => reply.objects),
      [4, 1, 3],
    );
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('fail with what the handler says, and the connection stays', async () => {
    const path = await serve({
      'reset-stats': ({ type }) => {
        if (type === 'known') throw new IpcError('refused', 'not this one', { why: 1 });
        throw new Error('boom');
      },
      show: () => ({ rows: [{ name: 'x'.repeat(MAX_MESSAGE_OCTETS) }] }),
    });
    const asker = await client(path);
    const refused = await asker.request('reset-stats', { type: 'known' }).catch((error: unknown) => error);
    assert.ok(failsWith('refused', /^not this one$/)(refused));
    assert.deepEqual((refused as IpcError).details, { why: 1 });
    await assert.rejects(asker.request('reset-stats', { type: 'x' }), failsWith('failed', /^boom$/));
    await assert.rejects(asker.request('show', { type: 'x' }), failsWith('failed', /longer than/));
    await assert.rejects(
      asker.request('acknowledge', { daemon: 'd', generation: { epoch: 1, number: 1 }, failures: [] }),
      failsWith('refused', /no method acknowledge/),
    );
    await assert.rejects(
      asker.request('reset-stats', { type: 7 } as never),
      failsWith('refused', /reset-stats: type: /),
    );
    assert.equal(asker.isConnected, true);
  });

  it('are refused when the reply is no such reply', async () => {
    const path = await serve({ show: () => ({ rows: 'none' }) as never });
    const asker = await client(path);
    await assert.rejects(
      asker.request('show', { type: 'x' }),
      failsWith('refused', /answered show with what is no answer: rows/),
    );
  });

  it('fail plainly when nobody listens or the server goes', async () => {
    await assert.rejects(
      IpcClient.connect(join(directory, 'configd.sock')),
      failsWith('unreachable', /cannot reach configd at .*configd\.sock: it is not running/),
    );
    const path = await serve({ show: () => new Promise(() => undefined) });
    const asker = await client(path);
    const pending = assert.rejects(
      asker.request('show', { type: 'x' }),
      failsWith('disconnected', /closed the connection/),
    );
    await delay(20);
    await server!.close();
    await pending;
    assert.equal(asker.isConnected, false);
    await assert.rejects(asker.request('show', { type: 'x' }), failsWith('disconnected', /closed the connection/));
    server = undefined;
  });

  it('are limited in number', async () => {
    const path = await serve({ show: () => new Promise(() => undefined) });
    const asker = await client(path);
    const many = Array.from({ length: 65 }, () =>
      asker.request('show', { type: 'x' }).catch((error: unknown) => error),
    );
    assert.ok(failsWith('busy', /more than 64 requests/)(await many[64]));
    asker.close();
    await Promise.all(many);
  });
});

describe('streams', () => {
  it('deliver in order and end', async () => {
    const path = await serve({
      async *tmsh() {
        for (let index = 0; index < 200; index++) yield { text: String(index) };
        await delay(1);
      },
    });
    const got: string[] = [];
    for await (const { text } of (await client(path)).stream('tmsh', { command: 'x' })) got.push(text);
    assert.deepEqual(
      got,
      Array.from({ length: 200 }, (_, index) => String(index)),
    );
  });

  it('wait for a reader that is slow', async () => {
    let made = 0;
    const path = await serve({
      // eslint-disable-next-line @typescript-eslint/require-await
      async *tmsh() {
        for (; made < 2000; made++) yield { text: 'x'.repeat(64 * 1024) };
      },
    });
    const stream = (await client(path)).stream('tmsh', { command: 'x' });
    await stream.next();
    await delay(300);
    assert.ok(made < 400, `${made} items of 64 KiB were made for a reader that read one`);
    let read = 1;
    for await (const item of stream) read += item.text.length > 0 ? 1 : 0;
    assert.equal(read, 2000);
  });

  it('are cancelled by leaving the loop, and the server learns of it', async () => {
    const ended = new Promise<string>((resolve) => {
      void serve({
        async *subscribe(_params, { signal }) {
          yield { update: 'snapshot', generation: { epoch: 1, number: 1 }, text: '', last: true };
          await new Promise<void>((done) => signal.addEventListener('abort', () => done()));
          resolve('aborted');
        },
      }).then(async (path) => {
        const asker = await client(path);
        for await (const update of asker.stream('subscribe', { daemon: 'd' })) {
          assert.equal(update.last, true);
          break;
        }
      });
    });
    assert.equal(await ended, 'aborted');
  });

  it('fail with what the handler throws after some items', async () => {
    const path = await serve({
      async *tmsh() {
        yield { text: 'one' };
        await delay(1);
        throw new IpcError('failed', 'Syntax Error: x');
      },
    });
    const got: string[] = [];
    await assert.rejects(
      async () => {
        for await (const { text } of (await client(path)).stream('tmsh', { command: 'x' })) got.push(text);
      },
      failsWith('failed', /^Syntax Error: x$/),
    );
    assert.deepEqual(got, ['one']);
  });
});

describe('the socket', () => {
  it('disconnects a peer that sends nonsense, and serves the others', async () => {
    const path = await serve({ 'reset-stats': () => ({ objects: 1 }) });
    const asker = await client(path);
    lines.length = 0;
    const intruder = connect(path);
    intruder.on('error', () => undefined);
    const closed = new Promise((resolve) => intruder.on('close', resolve));
    intruder.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
    assert.match(lines.join(), /a peer was disconnected: a message of \d+ octets was announced/);
    assert.deepEqual(await asker.request('reset-stats', { type: 'x' }), { objects: 1 });
  });

  it('leaves a live process and what is no socket alone', async () => {
    const path = await serve({});
    await assert.rejects(
      new IpcServer(path, {}, log).listen(),
      failsWith('refused', /in use: another process serves it/),
    );
    await server!.close();
    server = undefined;
    const file = join(directory, 'file.sock');
    writeFileSync(file, 'not a socket');
    chmodSync(file, 0o600);
    const second = new IpcServer(file, {}, log);
    await assert.rejects(second.listen(), failsWith('refused', /cannot listen on/));
    assert.equal(readFileSync(file, 'utf8'), 'not a socket');
  });
});
