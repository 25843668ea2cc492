begin;
select plan(5);

select throws_ok($$delete from app.pipeline_stage where name = 'new'$$, 'PT409', 'stage_new_is_needed');
select throws_ok($$update app.pipeline_stage set name = 'fresh' where name = 'new'$$, 'PT409', 'stage_new_is_needed');
select lives_ok($$update app.pipeline_stage set position = 9 where name = 'new'$$, 'it can be moved');
select lives_ok($$update app.pipeline_stage set name = 'fresh' where name = 'lost'$$, 'others can be renamed');
select lives_ok($$delete from app.pipeline_stage where name = 'fresh'$$, 'and removed');

select * from finish();
rollback;
