import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

echarts.use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** [step, loss] */
export type Point = [number, number];

/** Draws loss curves to an SVG. */
export function drawLossChart(title: string, curves: { training: Point[]; heldOut: Point[] }): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 800, height: 450 });
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, left: 'center', top: 12, textStyle: { fontSize: 16, fontWeight: 'normal' } },
    legend: { bottom: 8, itemGap: 32 },
    grid: { left: 64, right: 32, top: 56, bottom: 80 },
    xAxis: { type: 'value', name: 'step', nameLocation: 'middle', nameGap: 28, max: 'dataMax', minInterval: 1 },
    yAxis: { type: 'value', name: 'loss (nats per token)', nameLocation: 'middle', nameGap: 40, scale: true },
    series: [
      {
        name: 'training',
        type: 'line',
        data: curves.training,
        showSymbol: false,
        color: '#9db8dc',
        lineStyle: { width: 1 },
      },
      { name: 'held-out text', type: 'line', data: curves.heldOut, symbolSize: 7, color: '#c8431d' },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
