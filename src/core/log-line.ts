// Log lines as text: `2026-01-31T12:00:00.000Z info  message key=value`.

const HEAD = new Set(['time', 'level', 'daemon', 'msg']);

/** The text form of one log record; the name of the daemon is left to whoever prefixes lines. */
export function renderLogLine(record: Readonly<Record<string, unknown>>): string {
  const level = text(record.level).padEnd(5);
  let line = `${text(record.time)} ${level} ${text(record.msg)}`;
  for (const [key, value] of Object.entries(record)) {
    if (!HEAD.has(key)) line += ` ${key}=${quoted(text(value))}`;
  }
  return line;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}

const quoted = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));
