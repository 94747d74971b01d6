import { useContext } from "preact/hooks";
import { StoreContext, useNow } from "./hooks.ts";
import { bucketed, type Series } from "./series.ts";

const BARS = 120;
const HEIGHT = 36;

/** Writes, conflicts and waits per second, the last ten minutes, as far as this page has been open. */
export function Charts() {
  const store = useContext(StoreContext);
  return (
    <div class="charts">
      <Chart name="Writes" series={store.writes} kind="writes" />
      <Chart name="Conflicts" series={store.conflicts} kind="conflicts" />
      <Chart name="Lock waits" series={store.lockWaits} kind="waits" />
    </div>
  );
}

function Chart({ name, series, kind }: { readonly name: string; readonly series: Series; readonly kind: string }) {
  useNow();
  const counts = series.counts(Date.now());
  const bars = bucketed(counts, BARS);
  const most = rounded(Math.max(...bars));
  // The second that has not ended would always look low.
  const now = rounded(counts.at(-2) ?? 0);
  const text = `${now} per second, most ${most} in ten minutes`;
  return (
    <figure class={`chart ${kind}`}>
      <figcaption>
        <span>{name}</span> <b>{now}</b>
        <span class="quiet">/s</span> <span class="quiet most">most {most}</span>
      </figcaption>
      <svg viewBox={`0 0 ${BARS} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${name}: ${text}`}>
        <path d={pathOf(bars, Math.max(1, most))} />
      </svg>
    </figure>
  );
}

function rounded(count: number): number {
  return Math.round(count * 10) / 10;
}

function pathOf(bars: readonly number[], most: number): string {
  return bars
    .map((count, index) => {
      const height = count === 0 ? 0.5 : Math.max(2, (count / most) * HEIGHT);
      return `M${index} ${HEIGHT}v${-height}h.8v${height}z`;
    })
    .join("");
}
