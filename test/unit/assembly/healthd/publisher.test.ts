// Who subscribes gets all of it, then changes, whole and in their order; who does not read costs no more than there is.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { newHealthPublisher } from '../../../../src/assembly/healthd/publisher.ts';
import type { HealthReport, Measured } from '../../../../src/ipc/healthd-schema.ts';

const measured = (key: string, status: Measured['status'] = 'available'): Measured => ({
  kind: 'virtual-server',
  key,
  status,
  reason: '',
  since: 1,
  goodFor: 10,
});

const next = async (stream: AsyncGenerator<HealthReport, void>): Promise<HealthReport> => {
  const { value } = await stream.next();
  assert.ok(value, 'the stream has ended');
  return value;
};

it('a snapshot comes in pieces, and an empty one is a report too', async () => {
  const keys = Array.from({ length: 400 }, (_, number) => `/Common/s:v${number}`);
  const many = newHealthPublisher(() => keys.map((key) => measured(key))).subscribe(new AbortController().signal);
  const seen: string[] = [];
  for (;;) {
    const report = await next(many);
    assert.equal(report.begin, seen.length === 0 ? true : undefined);
    seen.push(...report.measured.map(({ key }) => key));
    if (report.last) break;
  }
  assert.deepEqual(seen, keys);
  await many.return();
  const none = newHealthPublisher(() => []).subscribe(new AbortController().signal);
  assert.deepEqual(await next(none), { begin: true, measured: [], forgotten: [], last: true });
  await none.return();
});

it('changes come at once; of those that wait the last counts; a beat comes when there is nothing', async () => {
  const publisher = newHealthPublisher(() => []);
  const stream = publisher.subscribe(new AbortController().signal);
  await next(stream);
  const waiting = next(stream);
  publisher.publish([measured('a', 'offline')]);
  assert.deepEqual(
    (await waiting).measured.map(({ key, status }) => [key, status]),
    [['a', 'offline']],
  );
  publisher.publish([measured('a', 'available'), measured('b')]);
  publisher.publish([measured('a', 'offline')], [{ kind: 'virtual-server', key: 'b' }]);
  const both = await next(stream);
  assert.deepEqual(
    both.measured.map(({ key, status }) => [key, status]),
    [['a', 'offline']],
  );
  assert.deepEqual(both.forgotten, [{ kind: 'virtual-server', key: 'b' }]);
  const beat = await next(stream);
  assert.deepEqual(beat, { measured: [], forgotten: [], last: true });
  await stream.return();
  assert.equal(publisher.subscribers, 0);
});

it('who has stopped reading is given up; who goes is forgotten', async () => {
  const publisher = newHealthPublisher(() => []);
  const stream = publisher.subscribe(new AbortController().signal);
  await next(stream);
  for (let number = 0; number <= 10_000; number++) publisher.publish([measured(`v${number}`)]);
  assert.equal((await stream.next()).done, true);
  assert.equal(publisher.subscribers, 0);
  const going = new AbortController();
  const other = publisher.subscribe(going.signal);
  await next(other);
  const last = other.next();
  going.abort();
  assert.equal((await last).done, true);
  assert.equal(publisher.subscribers, 0);
});
