begin;
select plan(15);

select throws_ok(
  format(
    $$insert into app.lead (organization_id, %s) values (%L, %s)$$, c.columns, organization('alice'), c.row_values
  ),
  c.sqlstate,
  format('new row for relation "lead" violates check constraint "%s"', c.name)
)
from (values
  ('23514', 'lead_has_email_or_name_and_company_or_phone', 'name', '''Ada'''),
  ('23514', 'lead_has_email_or_name_and_company_or_phone', 'company', '''Acme'''),
  ('23514', 'lead_name_is_text_of_1_to_255', 'email, name', '''a@example.com'', '' Ada'''),
  ('23514', 'lead_company_is_text_of_1_to_255', 'email, company', '''a@example.com'', '''''),
  ('23514', 'lead_email_is_email', 'email', '''ada'''),
  ('23514', 'lead_source_is_name', 'email, source', '''a@example.com'', ''A'''),
  ('23514', 'lead_score_within_0_and_100', 'email, lead_score', '''a@example.com'', 101'),
  ('23514', 'lead_score_within_0_and_100', 'email, lead_score', '''a@example.com'', -1'),
  ('23514', 'lead_industry_is_text_of_1_to_128', 'email, industry', '''a@example.com'', '' '''),
  ('23514', 'lead_company_size_is_text_of_1_to_128', 'email, company_size', '''a@example.com'', '' '''),
  ('23514', 'lead_pain_points_is_text_of_1_to_10000', 'email, pain_points', '''a@example.com'', '' '''),
  ('23514', 'lead_timeline_is_text_of_1_to_128', 'email, timeline', '''a@example.com'', '' '''),
  ('23514', 'lead_budget_range_is_text_of_1_to_128', 'email, budget_range', '''a@example.com'', '' '''),
  ('23514', 'lead_ai_reasoning_is_text_of_1_to_10000', 'email, ai_reasoning', '''a@example.com'', '' ''')
) as c (sqlstate, name, columns, row_values);
select throws_ok(
  format(
    $$insert into app.lead (organization_id, email, pipeline_stage) values (%L, 'a@example.com', 'lukewarm')$$,
    organization('alice')
  ),
  '23503', 'insert or update on table "lead" violates foreign key constraint "lead_pipeline_stage_exists"'
);

select * from finish();
rollback;
