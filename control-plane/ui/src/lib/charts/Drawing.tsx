// The heavy half of `TimePlot`: loaded when there is something to draw.
import '@mantine/charts/styles.css';
import { BarChart, LineChart } from '@mantine/charts';
import { exact } from '../show/Time';
import { drawn, type Point, type Series, tickOf } from './points';

export interface DrawingProps {
  points: Point[];
  series: Series[];
  show: (value: number) => string;
  kind: 'lines' | 'bars';
  /** What the axis reaches up to; as far as the values without. */
  max?: number;
  /** Whether its unit counts by powers of two. */
  isBinary?: boolean;
  when?: (at: string) => string;
  height: number;
}

const QUARTERS = [0, 0.25, 0.5, 0.75, 1];
const DASHES = [undefined, '6 3', '2 3'];

export function Drawing({ points, series, show, kind, max, isBinary, when, height }: DrawingProps) {
  const chart = {
    h: height,
    dataKey: 'at',
    withLegend: series.length > 1,
    valueFormatter: show,
    textColor: 'dimmed',
    yAxisProps: {
      domain: [0, max ?? (isBinary ? (binaryTicks(points).at(-1) ?? 'auto') : 'auto')] as [number, number | 'auto'],
      ticks:
        max === undefined ? (isBinary ? binaryTicks(points) : undefined) : QUARTERS.map((quarter) => quarter * max),
      // Each of the few has room.
      interval: 0,
      tickCount: 5,
      // What is counted is whole.
      allowDecimals: kind === 'lines',
      width: 88,
    },
    tooltipProps: { labelFormatter: (at: unknown) => labelOf(at, when ?? exact) },
    // The highest of its labels is half above the plot.
    [kind === 'bars' ? 'barChartProps' : 'lineChartProps']: { margin: { top: 8 } },
    // Who does not see it reads the summary and the table instead.
    accessibilityLayer: false,
  };
  const axis = { tickFormatter: when ? (at: number) => labelOf(at, when) : tickOf(points), minTickGap: 40 };
  if (kind === 'bars') {
    return (
      <BarChart
        {...chart}
        type="stacked"
        data={drawnBars(points)}
        series={series}
        xAxisProps={axis}
        barProps={{ isAnimationActive: false, maxBarSize: 72 }}
      />
    );
  }
  return (
    <LineChart
      {...chart}
      data={drawn(points)}
      series={series.map((one, index) => ({ ...one, strokeDasharray: DASHES[index] }))}
      xAxisProps={{ ...axis, type: 'number', scale: 'time', domain: ['dataMin', 'dataMax'] }}
      curveType="linear"
      connectNulls={false}
      withDots={points.length === 1}
      strokeWidth={1.75}
    />
  );
}

/** Four steps of a power of two, as far as the values of a point reach on each other. */
function binaryTicks(points: Point[]): number[] {
  const highest = Math.max(
    ...points.map(({ values }) => Object.values(values).reduce<number>((all, one) => all + (one ?? 0), 0)),
  );
  const step = 2 ** Math.ceil(Math.log2(Math.max(4, highest) / 4));
  return QUARTERS.map((quarter) => quarter * 4 * step);
}

function drawnBars(points: Point[]): Record<string, number | null>[] {
  return points.map(({ at, values }) => ({ ...values, at: Date.parse(at) }));
}

/** Before anything is pointed at there is no time. */
function labelOf(at: unknown, when: (at: string) => string): string {
  return typeof at === 'number' ? when(new Date(at).toISOString()) : '';
}
