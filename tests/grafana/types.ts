// Grafana's own types, for a document as JSON has it: an enum's member is its value.
import type { Dashboard, Panel } from "@grafana/schema";
import type { Options as Geomap } from "@grafana/schema/dist/esm/raw/composable/geomap/panelcfg/x/GeomapPanelCfg_types.gen";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as TimelineField,
  Options as Timeline,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type {
  FieldConfig as TableField,
  Options as Table,
} from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as SeriesField,
  Options as Series,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type Plain<T> = T extends string
  ? `${T}`
  : T extends (infer One)[]
    ? Plain<One>[]
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

// A panel of one type: what Grafana leaves open in `Panel` is as that panel's own types say.
type Of<Type extends string, Options, Field> = Omit<
  Plain<Panel>,
  "type" | "options" | "fieldConfig"
> & {
  type: Type;
  options: Plain<Omit<Options, "frameIndex"> & { frameIndex?: number }>;
  fieldConfig: Omit<Plain<NonNullable<Panel["fieldConfig"]>>, "defaults"> & {
    defaults: Omit<Plain<NonNullable<Panel["fieldConfig"]>["defaults"]>, "custom"> & {
      custom: Plain<Field>;
    };
  };
};

export type Document = Omit<Plain<Dashboard>, "panels"> & {
  panels: (
    // Grafana 10 does not know that option yet, and later ones want it.
    | Of<"stat", Stat & { percentChangeColorMode?: unknown }, Record<string, never>>
    | Of<"timeseries", Series, SeriesField>
    | Of<"state-timeline", Timeline, TimelineField>
    | Of<"table", Table, TableField>
    | Of<"geomap", Geomap, Record<string, never>>
  )[];
};
