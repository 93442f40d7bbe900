// Running what others should not notice.

/**
 * Put in front of a command, it gets the processors only when no other process wants them (sched(7), SCHED_IDLE). A session of its
 * own, because the kernel shares them out between sessions first. Where a container forbids one of these, it runs all the same.
 */
export const YIELDING = [
  'setsid',
  '--wait',
  'bash',
  '-c',
  '{ echo 19 >/proc/self/autogroup; chrt --idle --pid 0 $$; renice 19 $$; } >/dev/null 2>&1; exec "$@"',
  'yielding',
];
