// What is published of a watch: its verdict, and for how long that is good when healthd falls silent.

import { type Measured } from '../../ipc/healthd-schema.ts';
import type { Watch, WatchKind, WatchVerdict } from '../../health/watch.ts';
import { MAX_REASON } from '../../health/rule-verdict.ts';

const MS_PER_SECOND = 1000;
/** Seconds; of what nobody probes, by a word of the configuration alone: the timeout of most monitors. */
const GOOD_FOR_UNPROBED = 120;

const PUBLISHED: ReadonlySet<WatchKind> = new Set<Measured['kind']>(['server', 'virtual-server', 'member']);

/** `isFollowing`: whether virtual servers go down with a server that cannot be reached over iQuery. Undefined: it is nothing that wide IPs choose among. */
export function measuredOf(
  watch: Watch,
  { status, reason, since }: WatchVerdict,
  isFollowing = true,
): Measured | undefined {
  const { kind, key, rule } = watch;
  if (!isPublished(kind)) return undefined;
  const isSparing = !isFollowing && kind === 'server' && rule.monitors.some(({ type }) => type === 'bigip');
  const timeouts = rule.monitors.map(({ timing }) => timing.timeout / MS_PER_SECOND);
  return {
    kind,
    key,
    // What shall get no new clients is up: only an LTM has a word for that.
    status: status === 'disabled' ? 'available' : status,
    reason: reason.slice(0, MAX_REASON),
    since,
    goodFor: Math.max(...timeouts, 0) || GOOD_FOR_UNPROBED,
    ...(isElected(watch) && watch.prober === undefined && { isOwn: true }),
    ...(isSparing && { sparesVirtualServers: true }),
  };
}

/** Whether it is probed by whoever is elected: monitors that send nothing are everybody's own. */
export function isElected({ kind, rule, places }: Pick<Watch, 'kind' | 'rule' | 'places'>): boolean {
  const { monitors } = rule;
  return (
    isPublished(kind) && places.length > 0 && monitors.length > 0 && monitors.every(({ type }) => type !== 'bigip')
  );
}

export function isPublished(kind: WatchKind): kind is Measured['kind'] {
  return PUBLISHED.has(kind);
}

/** Whether somebody who knows the one learns anything by the other. */
export function isSameMeasured(a: Measured | undefined, b: Measured): boolean {
  const { isOwn, sparesVirtualServers } = b;
  if (a?.isOwn !== isOwn || a?.sparesVirtualServers !== sparesVirtualServers) return false;
  return a?.status === b.status && a.reason === b.reason && a.since === b.since && a.goodFor === b.goodFor;
}
