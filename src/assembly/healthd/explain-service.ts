// Says for a person why a thing is as its monitors find it: finds what is meant by a name, and what is watched of it.

import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { COMMON, fullPath } from '../../config/name.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { virtualServerKey } from '../../gtm/description.ts';
import { memberKey } from '../../gtm/facts.ts';
import { explainWatch } from '../../health/explain-watch.ts';
import { ltmMemberKey } from '../../health/ltm-description.ts';
import type { LtmStatus } from '../../health/ltm-status.ts';
import type { WatchKind } from '../../health/watch.ts';
import { EXPLAINED_KINDS } from '../../ipc/healthd-schema.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { recordsIn, textOf } from './describe-watches.ts';
import type { Healthd } from './healthd.ts';

/** Lines of one answer. */
const MOST_LINES = 5000;
/** Lines of one page of the list. */
const PAGE_LINES = 1000;

type Watched = { readonly kind: WatchKind; readonly key: string };
/** Something that a name means: what is said of it as a whole, and what is watched of it. */
type Subject = { readonly lines: readonly string[]; readonly watched: readonly Watched[] };

export class ExplainService {
  readonly #healthd: Healthd;

  constructor(healthd: Healthd) {
    this.#healthd = healthd;
  }

  /** Throws an IpcError where nothing has the name. */
  explain(asked: ParamsOf<'explain-health'>): ResultOf<'explain-health'> {
    const lines = this.#find(asked).flatMap((subject, index) => [
      ...(index === 0 ? [] : ['']),
      ...subject.lines,
      ...subject.watched.flatMap((watched) => this.#watchLines(watched)),
    ]);
    if (lines.length <= MOST_LINES) return { lines };
    const more = `… and ${lines.length - MOST_LINES} lines more: name one of its parts`;
    return { lines: [...lines.slice(0, MOST_LINES), more] };
  }

  resume(asked: ParamsOf<'resume-health'>): ResultOf<'resume-health'> {
    const watched = this.#find(asked).flatMap((subject) => subject.watched);
    const isHeld = watched.some(({ kind, key }) =>
      this.#healthd.engine
        .explain(kind, key)
        ?.monitors.flat()
        .some((instance) => instance.isHeld),
    );
    if (!isHeld) throw new IpcError('refused', `nothing of ${asked.name} waits to be resumed`);
    const resumed = watched.reduce((sum, { kind, key }) => sum + this.#healthd.engine.resume(kind, key), 0);
    if (resumed === 0) {
      throw new IpcError('refused', `${asked.name} does not answer well: resume it when it does`);
    }
    this.#healthd.keep();
    return { resumed };
  }

  list({ isDown, cursor = 0 }: ParamsOf<'list-watches'>): ResultOf<'list-watches'> {
    const lines: string[] = [];
    for (const { kind, key } of this.#healthd.watches.values()) {
      const { status, reason } = this.#healthd.verdictOf(kind, key);
      if (!isDown || status === 'offline') lines.push(`${kind} ${key}: ${status} (${reason})`);
    }
    const end = cursor + PAGE_LINES;
    return { lines: lines.slice(cursor, end), ...(end < lines.length && { next: end }) };
  }

  #watchLines({ kind, key }: Watched): string[] {
    const explanation = this.#healthd.engine.explain(kind, key);
    if (explanation === undefined) return [`${kind} ${key}: no monitor watches it`];
    const { watch } = explanation;
    const translated = this.#translation(kind, key);
    const place = watch.places[0];
    const lines = explainWatch(explanation);
    const own = [
      ...(translated === undefined || place === undefined
        ? []
        : [`  probed at ${translated}, its translation; answered is its destination`]),
      ...this.#healthd.whoDecides({ kind, key }).map((line) => `  ${line}`),
    ];
    return [...lines.slice(0, 2), ...own, ...lines.slice(2)];
  }

  /** Where a virtual server is probed that has another address behind the one that is answered. */
  #translation(kind: WatchKind, key: string): string | undefined {
    if (kind !== 'virtual-server') return undefined;
    const { server, virtualServer } = splitVirtualServerKey(key);
    const object = this.#named('gtm server', server);
    const own = object && recordsIn(object.properties['virtual-servers'])[virtualServer];
    const address = textOf(own?.['translation-address']);
    return address === '' || address === 'none' ? undefined : address;
  }

  #named(type: string, name: string): AnyConfigObject | undefined {
    return this.#healthd.objectsOf(type).find((object) => object.name === name);
  }

  #find({ name, kind }: { name: string; kind?: string | undefined }): Subject[] {
    if (kind !== undefined && !EXPLAINED_KINDS.some((each) => each === kind)) {
      throw new IpcError('refused', `${kind} is no type that can be explained: use ${EXPLAINED_KINDS.join(', ')}`);
    }
    const isAsked = (type: string): boolean => kind === undefined || kind === type;
    const path = fullPath(name, COMMON);
    const found = EXPLAINED_KINDS.filter(isAsked).flatMap((type) => {
      const whole = this.#named(type, path);
      return [...(whole === undefined ? [] : [this.#whole(type, whole)]), ...this.#parts(type, name)];
    });
    if (found.length > 0) return found;
    const what = kind === undefined ? 'nothing that can be watched' : `no ${kind}`;
    throw new IpcError('refused', `${what} is called ${name}: wideplane health list says what is watched`);
  }

  #whole(type: (typeof EXPLAINED_KINDS)[number], { name, properties }: AnyConfigObject): Subject {
    switch (type) {
      case 'gtm server': {
        const virtualServers = Object.keys(recordsIn(properties['virtual-servers']));
        const parts = virtualServers.map((each): Watched => ({
          kind: 'virtual-server',
          key: virtualServerKey(name, each),
        }));
        const own: Watched = { kind: 'server', key: name };
        const isWatched = this.#healthd.watches.has(`server ${name}`);
        return { lines: isWatched ? [] : [`gtm server ${name}:`], watched: isWatched ? [own, ...parts] : parts };
      }
      case 'gtm pool a':
      case 'gtm pool aaaa': {
        const members = Object.keys(recordsIn(properties.members));
        const watched = members.flatMap((member) =>
          this.#gtmMember(type === 'gtm pool a' ? 'a' : 'aaaa', name, member),
        );
        return { lines: [`${type} ${name}: ${count(members.length, 'member')}`], watched };
      }
      case 'ltm node':
        return {
          lines: [statusLine(`ltm node ${name}`, this.#healthd.availability.node(name))],
          watched: [{ kind: 'node', key: name }],
        };
      case 'ltm pool': {
        const members = Object.keys(recordsIn(properties.members));
        const watched = members.map((member): Watched => ({ kind: 'pool-member', key: ltmMemberKey(name, member) }));
        return { lines: [statusLine(`ltm pool ${name}`, this.#healthd.availability.pool(name))], watched };
      }
      case 'ltm virtual': {
        const pool = this.#named('ltm pool', textOf(properties.pool));
        const below = pool && this.#whole('ltm pool', pool);
        const line = statusLine(`ltm virtual ${name}`, this.#healthd.availability.virtual(name));
        return { lines: [line, ...(below?.lines ?? [])], watched: below?.watched ?? [] };
      }
    }
  }

  /** What has the name within objects of the type. */
  #parts(type: (typeof EXPLAINED_KINDS)[number], name: string): Subject[] {
    switch (type) {
      case 'gtm server': {
        const key = this.#virtualServer(name);
        return key === undefined ? [] : [{ lines: [], watched: [{ kind: 'virtual-server', key }] }];
      }
      case 'gtm pool a':
      case 'gtm pool aaaa': {
        const key = this.#virtualServer(name);
        const short = type === 'gtm pool a' ? 'a' : 'aaaa';
        return this.#healthd.objectsOf(type).flatMap((pool) => {
          const own = memberKey(short, pool.name, key ?? '');
          if (!this.#healthd.watches.has(`member ${own}`)) return [];
          return [{ lines: [], watched: [{ kind: 'member' as const, key: own }] }];
        });
      }
      case 'ltm pool': {
        const path = fullPath(name, COMMON);
        return this.#healthd.objectsOf(type).flatMap((pool) => {
          if (recordsIn(pool.properties.members)[path] === undefined) return [];
          const key = ltmMemberKey(pool.name, path);
          const status = this.#healthd.availability.pool(pool.name)?.members.find(({ member }) => member.name === path);
          const line = statusLine(`member of ltm pool ${pool.name}`, status);
          const place = this.#healthd.locations.describe(key);
          const group = status && `  priority group ${status.priorityGroup}${place === undefined ? '' : `, ${place}`}`;
          return [
            {
              lines: [line, ...(group === undefined ? [] : [group])],
              watched: [{ kind: 'pool-member' as const, key }],
            },
          ];
        });
      }
      case 'ltm node':
      case 'ltm virtual':
        return [];
    }
  }

  /** By its own monitor where it has one, and that of the virtual server. */
  #gtmMember(type: 'a' | 'aaaa', pool: string, member: string): Watched[] {
    const own: Watched = { kind: 'member', key: memberKey(type, pool, member) };
    const isWatched = this.#healthd.watches.has(`member ${own.key}`);
    return [...(isWatched ? [own] : []), { kind: 'virtual-server', key: member }];
  }

  /** `SERVER:VS` with bare names; undefined: there is none. */
  #virtualServer(text: string): string | undefined {
    if (!text.includes(':')) return undefined;
    const split = splitVirtualServerKey(text);
    const server = this.#named('gtm server', fullPath(split.server, COMMON));
    const names = Object.keys(recordsIn(server?.properties['virtual-servers']));
    const name = [split.virtualServer, fullPath(split.virtualServer, COMMON)].find((each) => names.includes(each));
    return server === undefined || name === undefined ? undefined : virtualServerKey(server.name, name);
  }
}

function statusLine(what: string, status: LtmStatus | undefined): string {
  if (status === undefined) return `${what}:`;
  return `${what}: ${status.availability}, ${status.enabled} (${status.reason})`;
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
