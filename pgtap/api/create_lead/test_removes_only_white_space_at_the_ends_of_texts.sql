begin;
select plan(1);

select act_as('alice');
select made_lead(json_build_object(
  'name', U&'\3000 Zo\00EB  \1F469\+01F680 \05D0\05D1 ' || chr(9),
  'company', E'\u00A0Acme\n',
  'email', ' Ada.Lovelace@Example.COM ',
  'source', ' google_ads ',
  'pipeline_stage', ' won ',
  'industry', ' industry ',
  'company_size', ' 11 to 50 ',
  'pain_points', E'\n damp\n walls \n',
  'timeline', ' this week ',
  'budget_range', ' 1k ',
  'ai_reasoning', ' because '
)::text);

select act_as('dba');
select results_eq(
  $$
    select
      l.name, l.company, l.email, l.source, l.pipeline_stage, l.industry, l.company_size, l.pain_points, l.timeline,
      l.budget_range, l.ai_reasoning
    from app.lead as l
  $$,
  $$
    values (
      U&'Zo\00EB  \1F469\+01F680 \05D0\05D1', 'Acme', 'Ada.Lovelace@Example.COM', 'google_ads', 'won', 'industry',
      '11 to 50',
      E'damp\n walls', 'this week', '1k', 'because'
    )
  $$,
  'each text in its column, with its upper case letters and inner white space'
);

select * from finish();
rollback;
