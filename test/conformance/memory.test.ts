// beside others
import assert from 'node:assert/strict';
import { Drop } from '../../src/core/drop-reason.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { FrameBatch } from '../../src/packet/frame.ts';
import { createMemoryPair } from '../../src/port/memory.ts';
import { numbered } from '../lib/packet-peer.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const ARENA_OCTETS = 128 << 20;
const ADDRESS = 0x0a000001;

function suiteOf(medium: 'ethernet' | 'udp'): void {
  const arena = new Arena(new ArrayBuffer(ARENA_OCTETS));
  const allocator = new ArenaAllocator(ARENA_OCTETS);
  const open = () =>
    createMemoryPair(arena, allocator, {
      medium,
      maxFrameOctets: 9230,
      ends: [
        { name: 'here', index: 3, address: ADDRESS, port: 4789 },
        { name: 'there', index: 4, address: ADDRESS + 1, port: 4790 },
      ],
      slots: 1200,
    });

  const openHarness = (): Promise<Harness> => {
    const [port, peer] = open();
    const prefix = new Uint8Array(medium === 'ethernet' ? 14 : 0);
    const scratch = allocator.allocate(1 << 20)!;
    let lost = 0;
    let waiting: Uint8Array[] = [];
    return Promise.resolve({
      port,
      arena,
      allocator,
      prefix,
      send: (first: number, count: number, octets: number) => {
        for (let index = first; index < first + count; index++) {
          const batch = new FrameBatch();
          batch.push(placeFrame(arena, scratch, numbered(prefix, index, octets)));
          peer.transmit(batch, (_, why) => {
            assert.equal(why, Drop.transmitQueueFull);
            lost += 1;
          });
        }
        return new Promise((resolve) => setImmediate(resolve));
      },
      collect: async (count: number) => {
        await receiveAll(
          peer,
          count,
          (batch) => {
            for (const frame of batch.frames.slice(0, batch.length)) {
              assert.equal(frame.outer3, medium === 'udp' ? ADDRESS : 0);
              waiting.push(octetsOf(arena, frame));
            }
          },
          50,
        );
        const received = waiting;
        waiting = [];
        return received;
      },
      address: () => undefined,
      setLink: (isUp: boolean) => {
        port.setUp(isUp);
        return Promise.resolve();
      },
      lostOnTheWay: () => lost,
      release: () => {
        peer.close();
        return Promise.resolve();
      },
    });
  };

  portSuite({
    name: `memory port, medium ${medium}`,
    open: openHarness,
    cycle: () => {
      for (const end of open()) end.close();
    },
    sizes: [20, 64, 1514, 9230],
    tooLong: 9240,
    flood: 3000,
  });
}

suiteOf('ethernet');
suiteOf('udp');
