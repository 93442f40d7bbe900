// Running what others should not notice.

/**
 * Put in front of a command, it gets the processors only when no other process wants them (sched(7), SCHED_IDLE). A session of its
 * own, because the kernel shares them out between sessions first.
 */
export const YIELDING = [
  'setsid',
  '--wait',
  'bash',
  '-c',
  '[ ! -e /proc/self/autogroup ] || echo 19 >/proc/self/autogroup; exec nice -n 19 chrt --idle 0 "$@"',
  'yielding',
];
