-- bi.score_calibration - whether higher scores win more: the share of won leads by score band.
set local role leads_owner;

create or replace view bi.score_calibration with (security_invoker = true) as
with counted as (
  select
    -- A score of 100 is in the band from 90.
    least(l.lead_score / 10, 9) as band,
    count(*) as lead_count,
    count(*) filter (where l.pipeline_stage = 'won') as won,
    count(*) filter (where l.pipeline_stage = 'lost') as lost
  from app.lead as l
  where l.organization_id = (select auth.analyst_organization_id())
  group by least(l.lead_score / 10, 9)
)
select
  b.band * 10 as score_from,
  case b.band when 9 then 100 else b.band * 10 + 9 end as score_to,
  coalesce(c.lead_count, 0)::bigint as lead_count,
  coalesce(c.won, 0)::bigint as won,
  coalesce(c.lost, 0)::bigint as lost,
  round(c.won::numeric / nullif(c.won + c.lost, 0), 4)::double precision as win_rate_of_decided
from generate_series(0, 9) as b (band)
left join counted as c on c.band = b.band;

comment on view bi.score_calibration is
  'Whether higher scores win more: ten score bands with the win rate of each, over all leads as they are now.';
comment on column bi.score_calibration.score_from is 'The lowest score of the band: 0, 10, … 90.';
comment on column bi.score_calibration.score_to is 'The highest score of the band, included: 9, 19, … 89, 100.';
comment on column bi.score_calibration.lead_count is 'The number of leads with such a score.';
comment on column bi.score_calibration.won is 'The number of them in the stage "won".';
comment on column bi.score_calibration.lost is 'The number of them in the stage "lost".';
comment on column bi.score_calibration.win_rate_of_decided is
  'won divided by the sum of won and lost, from 0 to 1, to 4 decimals; null: no lead of the band is won or lost.';

grant select on bi.score_calibration to leads_bi;
