import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpv4 } from '../../../src/core/address.ts';
import { PathWords } from '../../../src/gtm/path-words.ts';
import { newStateMemory, StateWriter } from '../../../src/gtm/state-journal.ts';
import {
  findPath,
  PATH_NEIGHBOURS,
  PATH_WORDS,
  PathWord,
  POOL_WORDS,
  stateLayout,
  VIRTUAL_SERVER_WORDS,
} from '../../../src/gtm/state-layout.ts';

function pathsOf(pathSlots: number) {
  const layout = stateLayout({ virtualServers: 1, members: 2, pools: 1, wideIps: 1, pathSlots });
  const writer = new StateWriter(newStateMemory(layout));
  const paths = new PathWords(writer);
  const find = (family: number, words: number[], datacenter: number): number | undefined => {
    writer.commit();
    const at = findPath(layout, writer.memory.words, family, Int32Array.from(words), datacenter);
    return at < 0 ? undefined : writer.memory.words[at + PathWord.hops];
  };
  return { layout, writer, paths, find };
}

describe('the state', () => {
  it('has its sections one behind the other, and room for all of them', () => {
    const layout = stateLayout({ virtualServers: 3, members: 5, pools: 2, wideIps: 4, pathSlots: 16 });
    assert.equal(layout.membersAt, 3 * VIRTUAL_SERVER_WORDS);
    assert.equal(layout.poolsAt, layout.membersAt + 5);
    assert.equal(layout.wideIpsAt, layout.poolsAt + 2 * POOL_WORDS);
    assert.equal(layout.pathsAt, layout.wideIpsAt + 4);
    assert.equal(layout.words, layout.pathsAt + 16 * PATH_WORDS);
  });
});

describe('the table of paths', () => {
  it('has each path by family, address and datacenter', () => {
    const { paths, find } = pathsOf(64);
    paths.set({ client: '192.0.2.1', datacenter: '', hops: 1, expires: 5 }, 0);
    paths.set({ client: '192.0.2.1', datacenter: '', hops: 2, expires: 5 }, 1);
    paths.set({ client: '2001:db8::1', datacenter: '', hops: 3, expires: 5 }, 0);
    paths.set({ client: 'c000:201::', datacenter: '', hops: 4, expires: 5 }, 0);
    const [v4, v6] = [
      [0xc0000201 | 0, 0, 0, 0],
      [0x20010db8, 0, 0, 1],
    ];
    assert.deepEqual([find(4, v4, 0), find(4, v4, 1), find(6, v6, 0), find(6, v4, 0)], [1, 2, 3, 4]);
    assert.deepEqual([find(4, v4, 2), find(6, v6, 1), find(4, v6, 0)], [undefined, undefined, undefined]);
    paths.forget('192.0.2.1', 0);
    assert.deepEqual([find(4, v4, 0), find(4, v4, 1)], [undefined, 2]);
    paths.set({ client: '192.0.2.1', datacenter: '', hops: 9, expires: 5 }, 1);
    assert.equal(find(4, v4, 1), 9);
  });

  it('finds what stands behind a place that was given back', () => {
    const { paths, find } = pathsOf(PATH_NEIGHBOURS);
    const clients = Array.from({ length: PATH_NEIGHBOURS }, (_, number) => number);
    for (const client of clients)
      paths.set({ client: formatIpv4(client), datacenter: '', hops: client, expires: 5 }, 0);
    for (const gone of clients) {
      paths.forget(formatIpv4(gone), 0);
      for (const client of clients) {
        assert.equal(find(4, [client, 0, 0, 0], 0), client <= gone ? undefined : client);
      }
    }
  });

  it('gives the place of the path that is good for the shortest time to one more', () => {
    const { paths, find } = pathsOf(PATH_NEIGHBOURS);
    for (let client = 0; client < PATH_NEIGHBOURS; client++) {
      paths.set({ client: formatIpv4(client), datacenter: '', hops: client, expires: client === 7 ? 1 : 100 }, 0);
    }
    paths.set({ client: '10.0.0.1', datacenter: '', hops: 200, expires: 50 }, 0);
    assert.equal(find(4, [0x0a000001, 0, 0, 0], 0), 200);
    for (let client = 0; client < PATH_NEIGHBOURS; client++) {
      assert.equal(find(4, [client, 0, 0, 0], 0), client === 7 ? undefined : client);
    }
  });
});
