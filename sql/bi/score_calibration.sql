-- bi.score_calibration - whether a high score means what it says: the share won, by score band.
set local role leads_owner;

create or replace view bi.score_calibration with (security_invoker = true) as
with counted as (
  select
    -- A score of 100 is in the band from 90.
    least(l.lead_score / 10, 9) as band,
    count(*) as leads,
    count(*) filter (where l.pipeline_stage = 'won') as won,
    count(*) filter (where l.pipeline_stage = 'lost') as lost
  from app.lead as l
  where l.organization_id = (select auth.analyst_organization_id())
  group by least(l.lead_score / 10, 9)
)
select
  b.band * 10 as score_from,
  case b.band when 9 then 100 else b.band * 10 + 9 end as score_to,
  coalesce(c.leads, 0)::bigint as leads,
  coalesce(c.won, 0)::bigint as won,
  coalesce(c.lost, 0)::bigint as lost,
  round(c.won::numeric / nullif(c.won + c.lost, 0), 4) as won_share
from generate_series(0, 9) as b (band)
left join counted as c on c.band = b.band;

comment on view bi.score_calibration is
  'Whether a high score means what it says: ten score bands, with the share won of each, over all leads as they are now.';
comment on column bi.score_calibration.score_from is 'The band''s lowest score: 0, 10, … 90.';
comment on column bi.score_calibration.score_to is 'The band''s highest score, included: 9, 19, … 89, 100.';
comment on column bi.score_calibration.leads is 'How many leads have such a score now.';
comment on column bi.score_calibration.won is 'How many of them stand in the stage "won".';
comment on column bi.score_calibration.lost is 'How many of them stand in the stage "lost".';
comment on column bi.score_calibration.won_share is
  'won divided by won and lost, from 0 to 1, to 4 decimals: of those that are decided; null: none is.';

grant select on bi.score_calibration to leads_bi;
