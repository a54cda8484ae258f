/** The picture of one graph function, with its search box and legend. */

import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Box, Layout, Stub } from '../layout/index.js';
import type { FunctionView } from '../protocol/generated.js';
import { calledGraph, hits, stepOf } from '../store/selectors.js';
import { GroundBox, GroupBox, NodeBox, StubBox } from './boxes.js';
import {
  anchor,
  fit,
  fitted,
  keepPlace,
  onScreen,
  overview,
  settle,
  show,
  TOP,
  zoom,
  type Camera,
  type Size,
} from './camera.js';
import { graphKey } from './keys.js';
import { Legend, Search } from './legend.js';
import { Outline } from './Outline.js';
import { useDrawing } from './picture.js';
import type { HostProps } from './props.js';
import { graphTitle } from './words.js';
import { arrowPath, wirePath, wireSpan } from './wires.js';

/** Beyond this the boxes are drawn without text while they are too small to read. */
const READABLE = 0.34;

export function GraphPane(props: HostProps): JSX.Element {
  const { state, dispatch } = props;
  const drawing = useDrawing(state);
  return (
    <section class="wb-graph" aria-label={`Graph of ${graphTitle(state.graph)}`}>
      <Search state={state} dispatch={dispatch} />
      {drawing !== null && !state.outline && <Picture {...props} {...drawing} />}
      {state.outline && <Outline state={state} dispatch={dispatch} />}
      <Legend state={state} dispatch={dispatch} />
    </section>
  );
}

interface PictureProps extends HostProps {
  readonly view: FunctionView;
  readonly layout: Layout;
}

function Picture(props: PictureProps): JSX.Element {
  const { state, dispatch, layout, view, uid } = props;
  const root = useRef<SVGSVGElement>(null);
  const size = useSize(root);
  const [camera, setCamera] = useCamera(view, layout, size, state.selection);
  useWheel(root, setCamera);
  const drag = useDrag(setCamera);
  const focused = layout.boxes.some((box) => box.key === state.selection) ? state.selection : null;
  return (
    <>
      <button
        type="button"
        class="wb-fit"
        title="Fit the width; again: the whole picture"
        onClick={() => {
          setCamera((camera) => fitted(camera, layout, size), false);
        }}
      >
        Fit
      </button>
      <svg
        ref={root}
        class="wb-picture"
        role="group"
        tabindex={0}
        aria-label={`Graph of ${graphTitle(view.name)}: arrow keys follow program order`}
        aria-activedescendant={focused === null ? undefined : boxId(uid, focused)}
        onKeyDown={(event) => {
          if (graphKey(event, state, layout, dispatch)) {
            event.preventDefault();
          }
        }}
        onPointerDown={drag.down}
        onPointerMove={drag.move}
        onPointerUp={drag.up}
        onPointerOver={(event) => {
          dispatch({ type: 'hover', key: attribute(event.target, 'data-value') });
        }}
        onPointerLeave={() => {
          dispatch({ type: 'hover', key: null });
        }}
        onDblClick={(event) => {
          const key = attribute(event.target, 'data-key');
          if (key === null) {
            setCamera(() => overview(layout, size));
          } else if (layout.boxes.some((box) => box.key === key && box.group)) {
            dispatch({ type: 'fold', group: key, collapsed: false });
          } else if (calledGraph(state, key) !== null) {
            dispatch({ type: 'graph', name: calledGraph(state, key) ?? state.graph });
          }
        }}
        onClick={(event) => {
          if (!drag.moved()) {
            root.current?.focus({ preventScroll: true });
            press(event.target, dispatch);
          }
        }}
      >
        <g transform={`translate(${camera.x} ${camera.y}) scale(${camera.scale})`}>
          <Scene {...props} camera={camera} size={size} />
        </g>
      </svg>
    </>
  );
}

interface SceneProps extends PictureProps {
  readonly camera: Camera;
  readonly size: Size;
}

function Scene({ state, view, layout, camera, size, uid }: SceneProps): JSX.Element {
  const nodes = useMemo(() => new Map(view.nodes.map((node) => [node.key, node])), [view]);
  const groups = useMemo(() => new Map(view.groups.map((group) => [group.key, group])), [view]);
  const found = useMemo(() => new Set(hits(state)), [view, state.search]);
  const first = stepOf(state, state.drawn)?.verdict.first?.node ?? null;
  const users = useMemo(() => {
    const value = state.hovered;
    return new Set(
      value === null
        ? []
        : layout.wires.flatMap((wire) =>
            wire.value === value && wire.to !== null && !wire.order ? [wire.to] : [],
          ),
    );
  }, [layout, state.hovered]);
  const mark = (key: string) => ({
    selected: key === state.selection,
    hit: found.has(key),
    lit: users.has(key) || key === state.hovered,
    wrong: key === first,
  });
  const right = size.width === 0 ? Infinity : (size.width - camera.x) / camera.scale;
  const seen = (box: Box | Stub): boolean =>
    onScreen(camera, size, box.x, box.y, box.width, box.height);
  if (camera.scale < READABLE && layout.boxes.length > 200) {
    return <Far layout={layout} />;
  }
  return (
    <>
      {layout.grounds.map((ground) => {
        const group = groups.get(ground.group);
        return group === undefined ? null : (
          <GroundBox key={ground.group} ground={ground} group={group} right={right} />
        );
      })}
      <Wires layout={layout} camera={camera} size={size} lit={[state.hovered, state.selection]} />
      {layout.stubs.filter(seen).map((stub) => (
        <StubBox
          key={`${stub.owner} ${stub.value}`}
          stub={stub}
          node={nodes.get(stub.value)}
          selected={stub.value === state.selection && stub.more === 0}
          lit={stub.value === state.hovered}
        />
      ))}
      {layout.boxes.filter(seen).map((box) => {
        const node = nodes.get(box.key);
        const group = groups.get(box.key);
        if (box.group && group !== undefined) {
          return (
            <GroupBox
              key={box.key}
              id={boxId(uid, box.key)}
              box={box}
              group={group}
              {...mark(box.key)}
            />
          );
        }
        return node === undefined ? null : (
          <NodeBox
            key={box.key}
            id={boxId(uid, box.key)}
            box={box}
            node={node}
            {...mark(box.key)}
          />
        );
      })}
    </>
  );
}

/** Everything as two paths, for pictures too small to read. */
function Far({ layout }: { readonly layout: Layout }): JSX.Element {
  const boxes = useMemo(
    () =>
      layout.boxes
        .map((box) => `M${box.x} ${box.y}h${box.width}v${box.height}h${-box.width}z`)
        .join(''),
    [layout],
  );
  const wires = useMemo(() => layout.wires.map((wire) => wirePath(wire.points)).join(''), [layout]);
  return (
    <>
      <path class="wb-wire" d={wires} />
      <path class="wb-far" d={boxes} />
    </>
  );
}

interface WiresProps {
  readonly layout: Layout;
  readonly camera: Camera;
  readonly size: Size;
  readonly lit: readonly (string | null)[];
}

/** All wires as one path, those of the values pointed at once more on top. */
function Wires({ layout, camera, size, lit }: WiresProps): JSX.Element {
  const top = Math.floor((-camera.y / camera.scale - 300) / 200) * 200;
  const bottom = Math.ceil(((size.height - camera.y) / camera.scale + 300) / 200) * 200;
  const wires = useMemo(
    () =>
      layout.wires.filter((wire) => {
        const [from, to] = wireSpan(wire);
        return from < bottom && to > top;
      }),
    [layout, top, bottom],
  );
  const read = useMemo(() => wires.filter((wire) => !wire.order), [wires]);
  const all = useMemo(
    () => (
      <>
        <path class="wb-wire" d={read.map((wire) => wirePath(wire.points)).join('')} />
        <path
          class="wb-wire wb-order"
          d={wires
            .filter((wire) => wire.order)
            .map((wire) => wirePath(wire.points))
            .join('')}
        />
        <path class="wb-arrow" d={wires.map(arrowPath).join('')} />
        {read.map((wire, index) => (
          <path
            key={index}
            class="wb-wire-target"
            data-value={wire.value}
            d={wirePath(wire.points)}
          />
        ))}
      </>
    ),
    [wires, read],
  );
  const marked = read.filter((wire) => lit.includes(wire.value));
  return (
    <g class="wb-wires" aria-hidden="true">
      {all}
      <path class="wb-wire wb-wire--lit" d={marked.map((wire) => wirePath(wire.points)).join('')} />
      <path class="wb-arrow wb-arrow--lit" d={marked.map(arrowPath).join('')} />
    </g>
  );
}

function boxId(uid: string, key: string): string {
  return `${uid}-${key.replace(/[^\w-]/g, (sign) => `_${sign.charCodeAt(0)}_`)}`;
}

function attribute(target: EventTarget | null, name: string): string | null {
  const element = target instanceof Element ? target.closest(`[${name}]`) : null;
  return element?.getAttribute(name) ?? null;
}

function press(target: EventTarget | null, dispatch: HostProps['dispatch']): void {
  const fold = attribute(target, 'data-fold');
  const unfold = attribute(target, 'data-unfold');
  if (fold !== null || unfold !== null) {
    dispatch({ type: 'fold', group: fold ?? unfold ?? '', collapsed: fold !== null });
    return;
  }
  const key = attribute(target, 'data-key') ?? attribute(target, 'data-value');
  dispatch({ type: 'select', key });
}

/** Moves the camera; `free` (the default) means by hand, so that it is left alone from then on. */
type Change = (change: (camera: Camera) => Camera, free?: boolean) => void;

interface Held {
  readonly view: FunctionView;
  readonly layout: Layout;
  readonly size: Size;
  readonly camera: Camera;
  readonly selection: string | null;
  readonly free: boolean;
}

/** The camera, which follows the layout so that what is looked at stays where it is. */
function useCamera(
  view: FunctionView,
  layout: Layout,
  size: Size,
  selection: string | null,
): [Camera, Change] {
  const [, redraw] = useState(0);
  const held = useRef<Held | null>(null);
  const before = held.current;
  const fresh = { view, layout, size, camera: fit(layout, size), selection: null, free: false };
  let now: Held = before ?? fresh;
  if (before === null || (before.size.width === 0 && size.width > 0)) {
    now = fresh;
  } else if (before.layout !== layout || before.size.width !== size.width) {
    now = { ...before, view, layout, size, camera: followed(before, view, layout, size, selection) };
  }
  if (now.selection !== selection && size.width > 0) {
    const box = layout.boxes.find((one) => one.key === selection);
    const camera = box === undefined ? now.camera : show(now.camera, box, size);
    now = { ...now, camera, selection };
  }
  held.current = now;
  const change: Change = (next, free = true) => {
    if (held.current !== null) {
      held.current = { ...held.current, camera: next(held.current.camera), free };
      redraw((count) => count + 1);
    }
  };
  return [now.camera, change];
}

/** The camera for another layout or width: a box keeps its place, and nothing new is cut off. */
function followed(
  before: Held,
  view: FunctionView,
  layout: Layout,
  size: Size,
  selection: string | null,
): Camera {
  const pair = anchor(before.layout, layout, selection, before.camera);
  if (pair === null) {
    return fit(layout, size);
  }
  const [old, box] = pair;
  const camera = keepPlace(before.camera, old, box);
  if (before.free) {
    return camera;
  }
  const settled = settle(camera, layout, size, box, before.view === view);
  // Another scale must not push the beginning under the search box, where it was not before.
  const pushed = settled.scale !== camera.scale && settled.y < TOP && before.camera.y >= TOP;
  const bottom = (box.y + box.height) * settled.scale + TOP;
  return pushed && bottom < size.height ? { ...settled, y: TOP } : settled;
}

function useSize(root: { readonly current: Element | null }): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = root.current;
    if (element === null) {
      return undefined;
    }
    const read = (): void => {
      const { width, height } = element.getBoundingClientRect();
      setSize((old) => (old.width === width && old.height === height ? old : { width, height }));
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [root]);
  return size;
}

/** Ctrl+wheel zooms; the plain wheel is left to the notebook. */
function useWheel(root: { readonly current: SVGSVGElement | null }, change: Change): void {
  const latest = useRef(change);
  latest.current = change;
  useLayoutEffect(() => {
    const element = root.current;
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      const frame = (event.currentTarget as Element).getBoundingClientRect();
      const factor = Math.exp(-event.deltaY / (event.deltaMode === 1 ? 12 : 400));
      latest.current((camera) =>
        zoom(camera, factor, event.clientX - frame.left, event.clientY - frame.top),
      );
    };
    element?.addEventListener('wheel', wheel, { passive: false });
    return () => {
      element?.removeEventListener('wheel', wheel);
    };
  }, [root]);
}

interface Drag {
  readonly down: (event: PointerEvent) => void;
  readonly move: (event: PointerEvent) => void;
  readonly up: (event: PointerEvent) => void;
  /** Whether the last press was a drag and no click. */
  readonly moved: () => boolean;
}

/** Dragging moves the picture. */
function useDrag(change: Change): Drag {
  const held = useRef({ pressed: false, moved: false, x: 0, y: 0 });
  return {
    down: (event) => {
      if (event.button === 0) {
        held.current = { pressed: true, moved: false, x: event.clientX, y: event.clientY };
      }
    },
    move: (event) => {
      const { pressed, moved, x, y } = held.current;
      const [dx, dy] = [event.clientX - x, event.clientY - y];
      if (!pressed || (!moved && Math.abs(dx) + Math.abs(dy) < 4)) {
        return;
      }
      if (!moved && event.currentTarget instanceof Element) {
        event.currentTarget.setPointerCapture(event.pointerId);
      }
      held.current = { pressed, moved: true, x: event.clientX, y: event.clientY };
      change((camera) => ({ ...camera, x: camera.x + dx, y: camera.y + dy }));
    },
    up: () => {
      held.current = { ...held.current, pressed: false };
    },
    moved: () => held.current.moved,
  };
}
