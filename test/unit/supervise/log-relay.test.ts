import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LineSplitter, LineWriter, relayLine } from '../../../src/supervise/log-relay.ts';

const record =
  '{"level":"warn","time":"2026-01-31T12:00:00.000Z","daemon":"configd","port":80,"path":"a b","msg":"hello"}';

test('records become text with the name of their daemon in front', () => {
  assert.equal(
    relayLine('configd', record, false, 'text'),
    'configd    | 2026-01-31T12:00:00.000Z warn  hello port=80 path="a b"\n',
  );
  assert.equal(relayLine('configd', record, false, 'json'), `${record}\n`);
});

test('lines that are no records are passed on', () => {
  assert.equal(relayLine('configd', '{"broken', true, 'text'), 'configd    | {"broken\n');
  const wrapped = JSON.parse(relayLine('configd', 'Segmentation fault', true, 'json')) as Record<string, string>;
  assert.equal(wrapped.msg, 'Segmentation fault');
  assert.equal(wrapped.daemon, 'configd');
  assert.equal(wrapped.level, 'error');
});

test('a stream is cut into lines wherever it is cut into pieces', () => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const piece of ['a', 'b\nc', '\n', '\nd']) splitter.push(piece);
  assert.deepEqual(lines, ['ab', 'c', '']);
  splitter.end();
  assert.deepEqual(lines, ['ab', 'c', '', 'd']);
});

test('a line that never ends is cut instead of kept', () => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (let i = 0; i < 40; i++) splitter.push('x'.repeat(1000));
  assert.ok(lines.length >= 2);
});

test('a reader that stalls loses lines instead of stopping the writer, and is told how many', async () => {
  const pipe = join(tmpdir(), `wideplane-log-${process.pid}`);
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const descriptor = openSync(pipe, 'w');
  try {
    const writer = new LineWriter(descriptor);
    const line = `${'x'.repeat(999)}\n`;
    const begun = performance.now();
    for (let i = 0; i < 5000; i++) writer.write(line);
    assert.ok(performance.now() - begun < 1000);

    let written = false;
    const flushed = writer.flush(10_000).then(() => (written = true));
    let text = '';
    while (!written) {
      text += readAvailable(reader);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await flushed;
    writer.write('after\n');
    await writer.flush(1000);
    text += readAvailable(reader);
    const lost = Number(/^(\d+) log lines lost/m.exec(text)?.[1]);
    assert.equal(text.split('\n').filter((other) => other === line.trimEnd()).length + lost, 5000);
    assert.match(text, /after\n$/);
  } finally {
    closeSync(reader);
    closeSync(descriptor);
    rmSync(pipe);
  }
});

function readAvailable(descriptor: number): string {
  const buffer = Buffer.alloc(1 << 16);
  try {
    return buffer.toString('latin1', 0, readSync(descriptor, buffer));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    return '';
  }
}
