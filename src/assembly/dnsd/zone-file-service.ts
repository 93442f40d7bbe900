// Files of zones that a synchronisation group shares: told to iqueryd, and taken from it once they are found to be zones.

import { createHash } from 'node:crypto';
import { rename, stat, utimes } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gtmZone, type GtmZone } from '../../config/types/gtm-zone.ts';
import { originOf } from '../../config/zone-names.ts';
import { errorText } from '../../core/errors.ts';
import { formatProblem } from '../../dns/zone-problem.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { CallContext, Handlers } from '../../ipc/ipc-server.ts';
import type { ItemOf, ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { BASE_CHANGED, GROUP_PIECE_CHARACTERS, type ZoneFileState } from '../../ipc/sync-schema.ts';
import { TextUploads } from '../../ipc/text-upload.ts';
import { makeDirectory, readOctetsIfThere, removeFile, writeFileAtomic } from '../../store/atomic-file.ts';
import { keepFile } from '../../store/kept-files.ts';
import type { Dnsd } from './dnsd.ts';
import { loadLargeZone, loadSmallZone } from './zone-loader.ts';

const MOST_OCTETS = 256 * 1024 * 1024;
const MOST_KEPT = 10;
/** How often it is looked whether a file was read again. */
const LOOK_MS = 1000;

type Known = { readonly mtimeMs: number; readonly size: number; readonly state: ZoneFileState };
type Wish = ParamsOf<'apply-zone-file'>;

/** A path in the zone directory: another would be a machine's own, and nothing that others may write to. */
const isShared = (file: string | undefined): file is string =>
  file !== undefined && !isAbsolute(file) && !file.split('/').includes('..');

export class ZoneFileService {
  readonly #dnsd: Dnsd;
  readonly #directory: string;
  readonly #uploads = new TextUploads(MOST_OCTETS);
  /** By name of the object. */
  readonly #known = new Map<string, Known>();

  /** `directory` is that of zones. */
  constructor(dnsd: Dnsd, directory: string) {
    this.#dnsd = dnsd;
    this.#directory = directory;
  }

  readonly handlers: Handlers = {
    'zone-files': (_params, { signal }) => this.#follow(signal),
    'zone-file-text': ({ name, digest }) => this.#text(name, digest),
    'group-text-piece': ({ part, text }, { connection }) => {
      this.#uploads.add(connection, part, text);
      return null;
    },
    'apply-zone-file': (wish, context) => this.#apply(wish, context),
  };

  async *#follow(signal: AbortSignal): AsyncGenerator<ItemOf<'zone-files'>, void> {
    let said: string | undefined;
    while (!signal.aborted) {
      const zones = await this.#states();
      const text = JSON.stringify(zones);
      if (text !== said) yield { zones };
      said = text;
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #states(): Promise<ZoneFileState[]> {
    const statuses = new Map(this.#dnsd.zones.statusOf().map((status) => [status.object, status]));
    const states: ZoneFileState[] = [];
    for (const zone of this.#shared()) {
      const served = statuses.get(zone.name)?.served;
      const known = this.#known.get(zone.name);
      const path = this.#pathOf(zone);
      const file = await stat(path).catch(() => undefined);
      if (served === undefined || file === undefined) {
        states.push({ name: zone.name, serial: 0, time: 0 });
        continue;
      }
      const isSame =
        known?.mtimeMs === file.mtimeMs && known.size === file.size && known.state.serial === served.serial;
      // What was written since it was read is nobody's yet: load gtm zone reads it.
      const isUnread = file.mtimeMs > served.loaded.getTime() && known !== undefined;
      if (!isSame && !isUnread) {
        const octets = (await readOctetsIfThere(path))?.octets;
        if (octets === undefined) continue;
        const state = {
          name: zone.name,
          digest: digestOf(octets),
          serial: served.serial,
          time: Math.floor(file.mtimeMs),
        };
        this.#known.set(zone.name, { mtimeMs: file.mtimeMs, size: file.size, state });
      }
      states.push(this.#known.get(zone.name)!.state);
    }
    return states;
  }

  async *#text(name: string, digest: string): AsyncGenerator<ItemOf<'zone-file-text'>, void> {
    const octets = (await readOctetsIfThere(this.#pathOf(this.#find(name))))?.octets;
    if (octets === undefined || digestOf(octets) !== digest) {
      throw new IpcError('refused', `the file of zone ${name} has changed meanwhile`, BASE_CHANGED);
    }
    const text = Buffer.from(octets).toString('latin1');
    for (let at = 0; at < text.length; at += GROUP_PIECE_CHARACTERS) {
      yield { text: text.slice(at, at + GROUP_PIECE_CHARACTERS) };
    }
  }

  async #apply(wish: Wish, { connection }: CallContext): Promise<ResultOf<'apply-zone-file'>> {
    const octets = Buffer.from(this.#uploads.take(connection), 'latin1');
    if (digestOf(octets) !== wish.digest) throw new IpcError('refused', `the text is not that of ${wish.digest}`);
    const zone = this.#find(wish.name);
    const path = this.#pathOf(zone);
    const incoming = `${path}.incoming`;
    try {
      await makeDirectory(dirname(path));
      await writeFileAtomic(incoming, octets);
      const serial = await this.#serialOf(zone, incoming);
      const before = (await readOctetsIfThere(path))?.octets;
      if (wish.base !== undefined && (before === undefined || digestOf(before) !== wish.base)) {
        throw new IpcError('refused', `the file of zone ${wish.name} has changed meanwhile`, BASE_CHANGED);
      }
      const label = zone.name.slice(1).replaceAll('/', '_');
      const kept =
        wish.keep && before !== undefined
          ? await keepFile(join(this.#directory, 'kept'), label, before, MOST_KEPT)
          : undefined;
      await utimes(incoming, wish.time / 1000, wish.time / 1000);
      await rename(incoming, path);
      await this.#dnsd.reloadZones([zone.name]);
      return { serial, ...(kept === undefined ? {} : { kept }) };
    } catch (error) {
      await removeFile(incoming).catch(() => undefined);
      throw error instanceof IpcError ? error : new IpcError('failed', errorText(error));
    }
  }

  /** Of a file that is a zone without errors; throws an IpcError for another. */
  async #serialOf({ name }: GtmZone, path: string): Promise<number> {
    const origin = originOf(name);
    if (typeof origin === 'string') throw new IpcError('refused', origin);
    const load = { path, origin: origin.name };
    const { table, problems } = loadSmallZone(load) ?? (await loadLargeZone(load));
    if (table !== undefined) return table.serial;
    throw new IpcError('failed', problems.map(formatProblem)[0] ?? 'there is no zone in it');
  }

  #shared(): GtmZone[] {
    return this.#dnsd.objectsOf(gtmZone).filter(({ properties: { file, enabled } }) => enabled && isShared(file));
  }

  #find(name: string): GtmZone {
    const zone = this.#shared().find((each) => each.name === name);
    if (zone === undefined) throw new IpcError('refused', `zone ${name} has no file in the zone directory`);
    return zone;
  }

  #pathOf({ properties: { file } }: GtmZone): string {
    return join(this.#directory, file!);
  }
}

const digestOf = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');
