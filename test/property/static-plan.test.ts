// Static stations: the tables that hold them, their way between processes, and the rows that a change comes down to.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ROWS_PER_OPERATION, type StaticSource, StaticPlan } from '../../src/assembly/dataplaned/static-plan.ts';
import type { Operation } from '../../src/assembly/dataplaned/spec.ts';
import { RecordTable, RecordTableBuilder } from '../../src/config/record-table.ts';
import { type Properties, sameProperties } from '../../src/config/value.ts';
import { formatMacNumbers, macHigh16, macLow32, parseMac } from '../../src/core/mac.ts';
import { ObjectReader, objectLines } from '../../src/ipc/object-lines.ts';

const mac = fc.tuple(fc.constantFrom(0x0200, 0x02ff, 0xffff), fc.constantFrom(0, 1, 2, 3, -1, -2, 0x7fffffff));
const macText = mac.map(([high, low]) => formatMacNumbers(high, low));
const content: fc.Arbitrary<Properties> = fc.constantFrom(
  { endpoint: '10.0.0.1' },
  { endpoint: '10.0.0.2' },
  { endpoint: '10.0.0.1', description: 'x' },
  {},
);
const records = fc.dictionary(macText, content, { maxKeys: 12 });

function tableOf(entries: Record<string, Properties>): RecordTable<Properties> {
  const builder = new RecordTableBuilder<Properties>();
  for (const [key, record] of Object.entries(entries)) builder.set(key, record);
  return builder.build();
}

describe('a table of records', () => {
  it('behaves as a Map from MAC addresses', () => {
    const step = fc.record({ key: macText, record: fc.option(content, { nil: undefined }) });
    fc.assert(
      fc.property(records, fc.array(step, { maxLength: 40 }), (first, steps) => {
        const model = new Map(Object.entries(first));
        const builder = new RecordTableBuilder(tableOf(first));
        for (const { key, record } of steps) {
          assert.deepEqual(builder.get(key), model.get(key));
          if (record === undefined) {
            assert.equal(builder.delete(key), model.delete(key));
          } else {
            builder.set(key, record);
            model.set(key, record);
          }
        }
        const table = builder.build();
        assert.deepEqual(new Map(table), model);
        assert.equal(table.size, model.size);
        for (const [key, record] of model) assert.deepEqual(table.get(key), record);
        assert.ok(table.contents.length <= new Set([...model.values()].map((record) => JSON.stringify(record))).size);
      }),
    );
  });

  it('equals another with the same records in any order, and no other', () => {
    fc.assert(
      fc.property(records, records, fc.infiniteStream(fc.nat()), (one, other, random) => {
        const shuffled = Object.entries(one)
          .map((entry) => ({ entry, place: random.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ entry }) => entry);
        const table = tableOf(one);
        assert.ok(table.equals(tableOf(Object.fromEntries(shuffled)), sameProperties));
        const same = JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
        assert.equal(table.equals(tableOf(other), sameProperties), same);
      }),
    );
  });
});

describe('lines of objects', () => {
  it('come back as they were, wherever they are cut', () => {
    const object = fc.record({
      type: fc.constant('net fdb tunnel'),
      name: fc.constantFrom('/Common/a', '/Common/ü'),
      properties: fc.record({ description: fc.string(), records: records.map(tableOf) }),
    });
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), fc.array(fc.nat(4000), { maxLength: 6 }), (objects, cuts) => {
        let text = '';
        for (const each of objects) {
          for (const line of objectLines(each, { action: 'create' })) text += `${line}\n`;
        }
        const ends = [...cuts.map((cut) => Math.min(cut, text.length)), text.length].sort((a, b) => a - b);
        const reader = new ObjectReader();
        const read = ends.flatMap((end, index) => [...reader.push(text.slice(ends[index - 1] ?? 0, end))]);
        reader.finish();
        assert.deepEqual(
          read.map((each) => each.object),
          objects.map((each) => ({ ...each, properties: { ...each.properties } })),
        );
        assert.ok(read.every(({ head }) => head.action === 'create'));
      }),
    );
  });

  it('are cut into lines of a bounded length, however many rows there are', () => {
    const builder = new RecordTableBuilder<Properties>();
    const number = builder.contentOf({ endpoint: '10.0.0.1' });
    for (let row = 0; row < 20_000; row++) builder.add(0x0200, row, number);
    const table = builder.build();
    const object = { type: 'net fdb tunnel', name: '/Common/a', properties: { records: table } };
    const lines = [...objectLines(object)];
    assert.ok(lines.every((line) => line.length < 128 * 1024));
    const reader = new ObjectReader();
    const [read] = [...reader.push(`${lines.join('\n')}\n`)];
    assert.ok(table.equals(read!.object.properties.records as RecordTable<Properties>, sameProperties));
  });
});

/** The stations of one domain and what they lead to, as the worker would hold them. */
class Worker {
  readonly stations = new Map<string, string>();

  apply(operation: Operation): void {
    const macOf = (high: number, low: number): string => formatMacNumbers(high, low);
    if (operation.op === 'remove-static-entries') {
      assert.ok(operation.low.length <= ROWS_PER_OPERATION);
      operation.low.forEach((low, row) => {
        const key = `${operation.domain} ${macOf(operation.high[row]!, low)}`;
        assert.ok(this.stations.delete(key), 'what is removed was there');
      });
    } else if (operation.op === 'set-static-entries') {
      assert.ok(operation.low.length <= ROWS_PER_OPERATION);
      operation.low.forEach((low, row) => {
        const target = JSON.stringify(operation.targets[operation.target[row]!]);
        const key = `${operation.domain} ${macOf(operation.high[row]!, low)}`;
        assert.notEqual(this.stations.get(key), target, 'what is set was another');
        this.stations.set(key, target);
      });
    } else {
      assert.fail(operation.op);
    }
  }
}

describe('the plan of static stations', () => {
  it('leads from any tables to any others, and tells the worker only what differs', () => {
    const source = fc.record({ domain: fc.integer({ min: 1, max: 2 }), records, member: fc.nat(2) });
    const state = fc.dictionary(fc.constantFrom('a', 'b', 'c'), source, { maxKeys: 3 });
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), (states) => {
        const plan = new StaticPlan();
        const worker = new Worker();
        for (const wanted of states) {
          const sources = new Map(Object.entries(wanted).map(([key, chosen]) => [key, sourceOf(chosen)]));
          const { removals, settings } = plan.plan(sources);
          for (const operation of removals) worker.apply(operation);
          for (const operation of settings) worker.apply(operation);
          assert.deepEqual(worker.stations, expected(sources));
          const again = plan.plan(sources);
          assert.deepEqual([...again.removals, ...again.settings], []);
        }
      }),
      { numRuns: 300 },
    );
  });
});

function sourceOf(chosen: { domain: number; records: Record<string, Properties>; member: number }): StaticSource {
  const table = tableOf(chosen.records);
  const targets = table.contents.map(({ endpoint }) =>
    typeof endpoint === 'string' ? { member: chosen.member, remote: [0, 0, 0, endpoint.length] as const } : undefined,
  );
  return { domain: chosen.domain, table, targets };
}

function expected(sources: ReadonlyMap<string, StaticSource>): Map<string, string> {
  const stations = new Map<string, string>();
  for (const key of [...sources.keys()].sort()) {
    const { domain, table, targets } = sources.get(key)!;
    for (let row = 0; row < table.size; row++) {
      const octets = parseMac(table.macAt(row))!;
      const isBroadcast = macHigh16(octets) === 0xffff && macLow32(octets) === -1;
      const target = targets[table.columns.content[row]!];
      if (!isBroadcast && target !== undefined) stations.set(`${domain} ${table.macAt(row)}`, JSON.stringify(target));
    }
  }
  return stations;
}
