import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createGzip, gunzipSync, constants } from 'node:zlib';
import {
  createDeflater,
  createInflater,
  type Deflater,
  INFLATE_LIMITS,
  type Inflater,
} from '../../../../src/assembly/iqueryd/compression.ts';
import { Random } from '../../../fuzz/mutator.ts';

const MOST_WAIT_MS = 15_000;

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + MOST_WAIT_MS; !isSo() && Date.now() < end;) await wait(2);
  assert.ok(isSo());
}

/** What comes out of an inflater. */
class Sink {
  text = '';
  octets = 0;
  failures: string[] = [];
  drained = 0;
  readonly inflater: Inflater;

  constructor(limits = INFLATE_LIMITS, output?: (octets: Uint8Array) => void) {
    const events = {
      output: (octets: Uint8Array) => {
        this.octets += octets.length;
        if (output === undefined) this.text += Buffer.from(octets).toString('latin1');
        else output(octets);
      },
      failed: (reason: string) => {
        this.failures.push(reason);
      },
      drained: () => {
        this.drained += 1;
      },
    };
    this.inflater = createInflater(events, limits);
  }
}

async function gzipped(octets: Buffer): Promise<Buffer> {
  const gzip = createGzip();
  const parts: Buffer[] = [];
  gzip.on('data', (part: Buffer) => parts.push(part));
  gzip.end(octets);
  await once(gzip, 'end');
  return Buffer.concat(parts);
}

describe('a compressed direction', () => {
  it('gives each batch as soon as it was flushed, and nothing before', async () => {
    const sink = new Sink();
    const deflater: Deflater = createDeflater((octets) => sink.inflater.write(octets));
    let expected = '';
    for (let batch = 0; batch < 20; batch++) {
      for (let message = 0; message <= batch; message++) {
        const text = `<vs>${batch}-${message}</vs>\n`;
        expected += text;
        deflater.write(text);
      }
      if (batch === 0) {
        await wait(20);
        assert.equal(sink.text, '');
        assert.equal(deflater.waiting, expected.length);
      }
      deflater.flush();
      await until(() => sink.text.length === expected.length);
      assert.equal(sink.text, expected);
    }
    await until(() => deflater.waiting === 0);
    deflater.close();
    sink.inflater.close();
    assert.deepEqual(sink.failures, []);
  });

  it('is a gzip stream that others inflate, and inflates theirs, cut anywhere', async () => {
    const parts: Uint8Array[] = [];
    const deflater = createDeflater((octets) => parts.push(octets));
    deflater.write('<heartbeat/>äöü');
    deflater.flush();
    await until(() => deflater.waiting === 0);
    const inflated = gunzipSync(Buffer.concat(parts), { finishFlush: constants.Z_SYNC_FLUSH });
    assert.equal(inflated.toString(), '<heartbeat/>äöü');
    deflater.close();

    const text = '<vs><name>x</name></vs>'.repeat(1000);
    const sink = new Sink();
    sink.inflater.write(Buffer.from('\r\n'));
    for (const octet of Buffer.concat([Buffer.from('\n'), await gzipped(Buffer.from(text))]))
      sink.inflater.write(Uint8Array.of(octet));
    await until(() => sink.text.length === text.length);
    assert.equal(sink.text, text);
    // What stands behind its end is nobody's.
    sink.inflater.write(Buffer.from('\n\n'));
    await until(() => sink.failures.length === 1);
    assert.deepEqual(sink.failures, ['its compressed stream is damaged: incorrect header check']);
  });

  it('says nothing any more once it is closed', async () => {
    const sink = new Sink();
    sink.inflater.write(await gzipped(Buffer.from('x')));
    sink.inflater.close();
    assert.equal(sink.inflater.write(Uint8Array.of(1)), false);
    await wait(30);
    assert.equal(sink.text, '');
    assert.deepEqual(sink.failures, []);
  });
});

describe('a compressed direction fails, with a reason and once,', () => {
  it('when it is no gzip', async () => {
    const sink = new Sink();
    sink.inflater.write(Buffer.from('<heartbeat>'));
    await until(() => sink.failures.length > 0);
    assert.deepEqual(sink.failures, ['its compressed stream is damaged: incorrect header check']);
  });

  it('when whoever reads it cannot', async () => {
    const sink = new Sink(INFLATE_LIMITS, () => {
      throw new Error('the field x is there twice');
    });
    sink.inflater.write(await gzipped(Buffer.alloc(100_000)));
    await until(() => sink.failures.length > 0);
    assert.deepEqual(sink.failures, ['the field x is there twice']);
  });

  it('when it inflates too far: in one piece, in pieces, and after much that was good', async () => {
    const bomb = await gzipped(Buffer.alloc(200_000_000, ' '));
    const random = new Random(5);
    const noise = Buffer.from(Array.from({ length: 500_000 }, () => random.below(256)));
    const mixed = await gzipped(Buffer.concat([noise, Buffer.alloc(200_000_000, 'a')]));
    for (const [octets, piece] of [
      [bomb, bomb.length],
      [bomb, 1000],
      [mixed, 16_384],
    ] as const) {
      const sink = new Sink(INFLATE_LIMITS, () => undefined);
      for (let at = 0; at < octets.length; at += piece) sink.inflater.write(octets.subarray(at, at + piece));
      await until(() => sink.failures.length > 0);
      assert.deepEqual(sink.failures, ['its compressed stream inflates to more than 100 times its size']);
      console.log(`${octets.length} octets in pieces of ${piece}: given up after ${sink.octets} octets`);
      assert.ok(sink.octets < 3 * INFLATE_LIMITS.allowance, `${sink.octets} octets came out`);
    }
  });

  it('when more waits to be inflated than a peer may send', async () => {
    const sink = new Sink({ ...INFLATE_LIMITS, waiting: 1000 }, () => undefined);
    const random = new Random(6);
    const octets = await gzipped(Buffer.from(Array.from({ length: 30_000 }, () => random.below(256))));
    assert.equal(sink.inflater.write(octets.subarray(0, 999)), true);
    assert.equal(sink.inflater.write(octets.subarray(999, 2000)), false);
    await until(() => sink.drained === 1);
    for (let at = 2000; at < 20_000; at += 1000) sink.inflater.write(octets.subarray(at, at + 1000));
    await until(() => sink.failures.length > 0);
    assert.deepEqual(sink.failures, ['more than 10000 octets wait to be inflated']);
  });
});
