-- bi.leads - the leads, with the fields of the API.
set local role leads_owner;

create or replace view bi.leads with (security_invoker = true) as
select
  l.id,
  l.organization_id,
  l.name,
  l.company,
  l.email,
  l.source,
  l.lead_score,
  l.pipeline_stage,
  l.industry,
  l.company_size,
  l.pain_points,
  l.timeline,
  l.budget_range,
  l.ai_reasoning,
  -- First among the times: tools that choose a time column by themselves take the first.
  l.created_at,
  l.updated_at,
  l.qualification_completed_at,
  l.phone,
  case when l.phone_key like '+%' then l.phone_key end as phone_e164,
  l.reference,
  l.details,
  l.won_at,
  l.lost_at,
  l.first_contacted_at
from app.lead as l
-- The policy has the same condition. Each of the two is sufficient.
where l.organization_id = (select auth.analyst_organization_id());

comment on view bi.leads is
  'The organization''s leads, as they are now. Times are timestamptz in milliseconds. They are printed in the session''s '
  'time zone, which is UTC by default.';
comment on column bi.leads.id is 'The lead''s id, a UUID of version 7.';
comment on column bi.leads.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.leads.name is 'The person''s name; up to 255 characters.';
comment on column bi.leads.company is 'The company''s name; up to 255 characters.';
comment on column bi.leads.email is 'The e-mail address, as it was sent; up to 254 characters.';
comment on column bi.leads.source is 'Where the lead came from, as a machine name such as google_ads; null: unknown.';
comment on column bi.leads.lead_score is 'How promising the lead is, a whole number from 0 to 100.';
comment on column bi.leads.pipeline_stage is 'The lead''s stage.';
comment on column bi.leads.industry is 'The lead''s industry, in the words of the source.';
comment on column bi.leads.company_size is 'The company''s size, in the words of the source.';
comment on column bi.leads.pain_points is 'The lead''s problems; up to 10,000 characters.';
comment on column bi.leads.timeline is 'When the lead wants to act, in words.';
comment on column bi.leads.budget_range is 'What the lead wants to spend, in words.';
comment on column bi.leads.ai_reasoning is 'Why the lead has its score, in words.';
comment on column bi.leads.qualification_completed_at is
  'timestamptz: when the lead first reached the stage "qualified"; null: it has not.';
comment on column bi.leads.phone is 'The phone number, as it was sent; up to 64 characters.';
comment on column bi.leads.phone_e164 is
  'The phone number in E.164, such as +15550100199; null: none, or its country is not known.';
comment on column bi.leads.reference is 'The client''s own id of the lead; up to 255 characters.';
comment on column bi.leads.details is
  'Other values, by name: an object of texts, numbers and booleans, such as details ->> ''roof_age''; null: none.';
comment on column bi.leads.won_at is
  'timestamptz: when the lead entered the stage "won"; null: it is in another stage. If it was created in this stage, the time '
  'of its creation.';
comment on column bi.leads.lost_at is 'timestamptz: as won_at, for the stage "lost".';
comment on column bi.leads.first_contacted_at is
  'timestamptz: when the lead first entered a stage other than "new" and "lost"; null: it never did. If it was created in such '
  'a stage, the time of its creation.';
comment on column bi.leads.created_at is 'timestamptz: when the lead was created.';
comment on column bi.leads.updated_at is 'timestamptz: when the lead was last changed.';

grant select on bi.leads to leads_bi;
