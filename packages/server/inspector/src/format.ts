/** How things are written for people. */

export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return "–";
  if (bytes < 1000) return `${bytes} B`;
  const isLarge = bytes >= 999_500;
  const value = bytes / (isLarge ? 1_000_000 : 1000);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${isLarge ? "MB" : "kB"}`;
}

export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** What is left of a lock. */
export function formatCountdown(ms: number): string {
  if (ms <= 0) return "lapsed";
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return formatAge(ms);
}

export function formatTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(ms) ? "–" : `${date.toLocaleDateString("en-CA")} ${date.toLocaleTimeString("en-GB")}`;
}

export function formatClock(ms: number | null): string {
  return ms === null || Number.isNaN(ms) ? "" : new Date(ms).toLocaleTimeString("en-GB");
}

// Controls, formats (direction marks, zero width, tags), lone surrogates, line and paragraph separators.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A text whose every character can be seen: what would hide itself or turn the line round is written as its code. */
export function visible(text: string, most = 500): string {
  const cut = text.length > most ? `${text.slice(0, most)}… ${text.length.toLocaleString("en")} characters` : text;
  const shown = cut.replace(HIDDEN, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).padStart(4, "0");
    return code.length > 4 ? `\\u{${code}}` : `\\u${code}`;
  });
  return shown === "" ? '""' : shown;
}
