import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

echarts.use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** [step, value] */
export type Point = [number, number];

export interface Axis {
  name: string;
  /** Default by the values, 0 among them only if they are near. */
  min?: number;
  max?: number;
}

export interface Curve {
  name: string;
  data: Point[];
  color: string;
  /** Draws a thin line without its points. */
  thin?: boolean;
  /** Which of the axes its values are read from. Default the first. */
  axis?: number;
}

/** Draws curves over the steps of a training to an SVG: the first axis stands on the left, a second one on the right. */
export function drawLineChart(title: string, axes: Axis[], curves: Curve[]): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 800, height: 450 });
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, left: 'center', top: 12, textStyle: { fontSize: 16, fontWeight: 'normal' } },
    legend: { bottom: 8, itemGap: 32 },
    grid: { left: 64, right: axes.length > 1 ? 64 : 32, top: 56, bottom: 80 },
    xAxis: { type: 'value', name: 'step', nameLocation: 'middle', nameGap: 28, max: 'dataMax', minInterval: 1 },
    yAxis: axes.map((axis, i) => ({
      type: 'value',
      nameLocation: 'middle',
      nameGap: 40,
      scale: true,
      splitLine: { show: i === 0 },
      ...axis,
    })),
    series: curves.map(({ axis = 0, thin = false, ...curve }) => ({
      ...curve,
      type: 'line',
      yAxisIndex: axis,
      ...(thin ? { showSymbol: false, lineStyle: { width: 1 } } : { symbolSize: 7 }),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
