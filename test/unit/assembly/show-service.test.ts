// `show` of more than a message holds: page by page, everything once.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import { Planner } from '../../../src/assembly/dataplaned/planner.ts';
import { ShowService, type ShowSources } from '../../../src/assembly/dataplaned/show-service.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { MAX_MESSAGE_OCTETS, type ShowRow } from '../../../src/ipc/schema.ts';
import { largeConfiguration, tunnelName } from '../../support/large-configuration.ts';
import { Rig } from '../../support/dataplane-rig.ts';

const TUNNELS = 700;
const STATIONS = 50_000;
/** The first tunnel has more stations than a page. */
const EXTRA = 5000;

function service(): ShowService {
  const rig = new Rig({ counterRows: 4096, learnedLimit: 16_384, staticLimit: STATIONS });
  const text = largeConfiguration({ tunnels: TUNNELS, stations: STATIONS, withUnderlay: true });
  const { configuration } = loadText(text, emptyConfiguration());
  const view = viewOf(configuration.views.values());
  const model = buildModel(view, new Map());
  const planner = new Planner(4096);
  rig.apply(...planner.plan(model).operations);
  const { fdb } = rig.dataplane;
  const members = new Map([...planner.memberNames()].map(([number, key]) => [key, number]));
  const first = members.get(`/Common/${tunnelName(0)}`)!;
  for (let station = 0; station < EXTRA; station++) fdb.learn(1, 0x02cc, station, first, -1, 1);
  const sources = {
    ...{ view, model, planner, devices: new Map() },
    keeper: { state: () => 'up' },
    worker: {
      counters: rig.counters,
      second: 10,
      tables: { fdb: fdb.buffer, endpointRemotes: rig.dataplane.endpointRemotes },
    },
  };
  return new ShowService(() => sources as unknown as ShowSources);
}

/** All pages, each of which must fit in a message. */
function pages(shows: ShowService, type: string, names?: string[]): ShowRow[] {
  const rows: ShowRow[] = [];
  let cursor: string | undefined;
  do {
    const reply = shows.show({ type, names, cursor })!;
    assert.ok(JSON.stringify(reply).length < MAX_MESSAGE_OCTETS / 2);
    rows.push(...reply.rows);
    cursor = reply.next;
  } while (cursor !== undefined);
  return rows;
}

describe('show', () => {
  const shows = service();

  it('tells of every tunnel once, and then of what belongs to none', () => {
    const names = pages(shows, 'net tunnels tunnel').map(({ name }) => name);
    const tunnels = Array.from({ length: TUNNELS }, (_, number) => `/Common/${tunnelName(number)}`);
    assert.deepEqual(names, [...tunnels, 'no tunnel']);
    const [last] = pages(shows, 'net tunnels tunnel', [tunnels.at(-1)!]);
    assert.equal(last!.name, tunnels.at(-1));
  });

  it('tells of every station once, those of one tunnel together', () => {
    const rows = pages(shows, 'net fdb tunnel');
    const macs = new Set<string>();
    for (const { table } of rows) for (const [mac] of table!.rows) macs.add(String(mac));
    assert.equal(
      rows.reduce((total, { table }) => total + table!.rows.length, 0),
      STATIONS + EXTRA,
    );
    assert.equal(macs.size, STATIONS + EXTRA);
    const order = rows.map(({ name }) => name).filter((name, at, all) => name !== all[at - 1]);
    assert.equal(order.length, TUNNELS);
  });

  it('tells of the stations of one tunnel, over several pages', () => {
    const name = `/Common/${tunnelName(0)}`;
    const rows = pages(shows, 'net fdb tunnel', [name]);
    assert.ok(rows.length > 1);
    assert.ok(rows.every((row) => row.name === name));
    const count = Math.ceil(STATIONS / TUNNELS) + EXTRA;
    assert.equal(
      rows.reduce((total, { table }) => total + table!.rows.length, 0),
      count,
    );
  });
});
