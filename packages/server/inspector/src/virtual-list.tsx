import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { rowAfterKey, scrollTo, windowOf } from "./windowing.ts";

export interface VirtualListProps {
  readonly label: string;
  readonly role: "listbox" | "tree";
  readonly count: number;
  readonly rowHeight: number;
  readonly keyOf: (row: number) => string;
  readonly render: (row: number, isActive: boolean) => ComponentChildren;
  /** ARIA of a row, beside its role and its place. */
  readonly aria?: (row: number) => Record<string, string | number | boolean>;
  readonly rowClass?: (row: number) => string;
  readonly active: number;
  readonly onActive: (row: number) => void;
  readonly onOpen?: (row: number) => void;
  readonly onHover?: (row: number | undefined) => void;
  /** Sees keys first; `true` when it was for it. */
  readonly onKey?: (key: string, row: number) => boolean;
  /** Hears when somebody points at the list or moves in it, and when not any more. */
  readonly onHold?: (isHeld: boolean) => void;
  readonly class?: string;
}

/** A list of rows of one height, of which only those are drawn that are seen. The list has the focus, a row is active. */
export function VirtualList(props: VirtualListProps) {
  const { label, role, count, rowHeight, keyOf, active } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const id = useId();
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = (): void => setView({ top: element.scrollTop, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = box.current;
    if (element === null || active < 0 || document.activeElement !== element) return;
    element.scrollTop = scrollTo(active, rowHeight, element.scrollTop, element.clientHeight);
  }, [active, rowHeight]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 1);
    const next = rowAfterKey(key, active, count, page);
    if (props.onKey?.(key, active) === true) event.preventDefault();
    else if (next !== undefined) {
      event.preventDefault();
      props.onActive(next);
    } else if (key === "Enter" && active >= 0) props.onOpen?.(active);
  };
  const { first, end } = windowOf(count, rowHeight, view.top, view.height);
  const rows = Array.from({ length: end - first }, (_, index) => first + index);
  const rowRole = ({ listbox: "option", tree: "treeitem" } as const)[role];
  const isDrawn = active >= first && active < end;
  return (
    <div
      ref={box}
      class={`virtual ${props.class ?? ""}`}
      role={role}
      aria-label={label}
      tabIndex={0}
      {...(isDrawn ? { "aria-activedescendant": `${id}-${active}` } : {})}
      onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
      onKeyDown={onKeyDown}
      onFocus={() => {
        if (active < 0 && count > 0) props.onActive(0);
        props.onHold?.(true);
      }}
      onBlur={() => props.onHold?.(false)}
      onMouseEnter={() => props.onHold?.(true)}
      onMouseLeave={() => {
        props.onHover?.(undefined);
        props.onHold?.(document.activeElement === box.current);
      }}
    >
      <div class="virtual-space" role="presentation" style={{ height: `${count * rowHeight}px` }}>
        {rows.map((row) => (
          <div
            key={keyOf(row)}
            id={`${id}-${row}`}
            role={rowRole}
            class={`virtual-row ${row === active ? "active" : ""} ${props.rowClass?.(row) ?? ""}`}
            style={{ height: `${rowHeight}px`, transform: `translateY(${row * rowHeight}px)` }}
            aria-setsize={count}
            aria-posinset={row + 1}
            aria-selected={row === active}
            {...props.aria?.(row)}
            onMouseEnter={() => props.onHover?.(row)}
            onClick={() => {
              props.onActive(row);
              props.onOpen?.(row);
            }}
          >
            {props.render(row, row === active)}
          </div>
        ))}
      </div>
    </div>
  );
}
